package mongo

import (
	"context"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"krt.dev/kn-krt/pkg/letter"
	wire "krt.dev/kn-krt/pkg/runner/store"
)

// replaced is a filter for the letter that a letter with an _id replaces. Where one is kept that is not replaced, such
// as a success by a failure, an upsert would insert another one with its _id, and fails.
func replaced(l letter.Letter, id string) bson.D {
	met := bson.D{{Key: wire.KeyID, Value: id}}
	expired := bson.D{{Key: keyExpires, Value: bson.D{{Key: "$lte", Value: time.Now().UnixNano()}}}}
	switch {
	case l.Kind == letter.Result && l.Status != nil:
		failure := bson.D{{Key: keySuccess, Value: bson.D{{Key: "$ne", Value: true}}}}
		met = append(met, bson.E{Key: "$or", Value: bson.A{failure, expired}})
	case l.Kind == letter.Claim:
		own := bson.D{{Key: keyHolder, Value: l.CausationID}}
		met = append(met, bson.E{Key: "$or", Value: bson.A{own, expired}})
	}
	return met
}

// alone calls write; that of a claim on FerretDB while no other claim of this store is written. There an update is of
// what met its filter before, so that two claims may both replace one that has expired.
func (s *Store) alone(ctx context.Context, kind letter.Kind, write func() error) error {
	if kind != letter.Claim || !s.known.Load().dialect.flat {
		return write()
	}
	select {
	case s.claiming <- struct{}{}:
		defer func() { <-s.claiming }()
		return write()
	case <-ctx.Done():
		return s.failure(ctx.Err())
	}
}
