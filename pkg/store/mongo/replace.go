package mongo

import (
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"krt.dev/kn-krt/pkg/letter"
	wire "krt.dev/kn-krt/pkg/runner/store"
)

// replaced is a filter for the letter that a letter with an _id replaces. Where a success is kept that a failure does
// not replace, an upsert would insert another one with its _id, and fails.
func replaced(l letter.Letter, id string) bson.D {
	met := bson.D{{Key: wire.KeyID, Value: id}}
	if l.Kind == letter.Result && l.Status != nil {
		met = append(met, bson.E{Key: "$or", Value: bson.A{
			bson.D{{Key: keySuccess, Value: bson.D{{Key: "$ne", Value: true}}}},
			bson.D{{Key: keyExpires, Value: bson.D{{Key: "$lte", Value: time.Now().UnixNano()}}}},
		}})
	}
	return met
}
