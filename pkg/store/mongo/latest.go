package mongo

import (
	"context"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"krt.dev/kn-krt/pkg/data/quality"
	wire "krt.dev/kn-krt/pkg/runner/store"
	"krt.dev/kn-krt/pkg/store"
)

// CountVersions counts by version. The hours are found by the index on dates: FerretDB has no
// minimum of a group.
func (s *Store) CountVersions(ctx context.Context, of store.Selection, limit int) (found []quality.Version, err error) {
	c, err := s.predictions(ctx, of.Runtime)
	if err != nil {
		return nil, err
	}
	cursor, err := c.Aggregate(ctx, []bson.D{
		{{Key: "$match", Value: selection(of)}},
		{{Key: "$group", Value: bson.D{{Key: "_id", Value: "$" + keyVersion}, {Key: "n", Value: bson.D{{Key: "$sum", Value: 1}}}}}},
		{{Key: "$sort", Value: bson.D{{Key: "n", Value: -1}, {Key: "_id", Value: 1}}}},
		{{Key: "$limit", Value: limit}},
	}, options.Aggregate().SetAllowDiskUse(true))
	if err != nil {
		return nil, s.failure(err)
	}
	var counts []struct {
		Version any   `bson:"_id"`
		Count   int64 `bson:"n"`
	}
	if err := cursor.All(ctx, &counts); err != nil {
		return nil, s.failure(err)
	}
	for _, one := range counts {
		v := quality.Version{Name: plain(one.Version), Total: one.Count}
		met := bson.D{{Key: "$and", Value: bson.A{selection(of), bson.D{{Key: keyVersion, Value: one.Version}}}}}
		if v.First, err = end(ctx, c, met, 1); err == nil {
			v.Last, err = end(ctx, c, met, -1)
		}
		if err != nil {
			return nil, s.failure(err)
		}
		found = append(found, v)
	}
	return found, nil
}

// end returns the hour of the first prediction, or the last if order is -1, that a filter selects.
func end(ctx context.Context, c *mongo.Collection, met bson.D, order int) (time.Time, error) {
	raw, err := c.FindOne(ctx, met, options.FindOne().SetSort(bson.D{{Key: keyDate, Value: order}}).
		SetProjection(bson.D{{Key: keyDate, Value: 1}})).Raw()
	if err != nil {
		return time.Time{}, err
	}
	at, err := time.Parse(time.RFC3339Nano, text(raw, keyDate))
	return at.UTC().Truncate(time.Hour), err
}

// LatestLabelled returns labelled predictions, the latest first.
func (s *Store) LatestLabelled(ctx context.Context, of store.Selection, limit int) (found []store.Labelled, err error) {
	c, err := s.predictions(ctx, of.Runtime)
	if err != nil {
		return nil, err
	}
	order := bson.D{{Key: keyDate, Value: -1}, {Key: wire.KeyID, Value: -1}}
	fields := bson.D{{Key: keyDate, Value: 1}, {Key: keyTrue, Value: 1}, {Key: keyPredicted, Value: 1}}
	cursor, err := c.Find(ctx, labelled(of), s.sorted(order, limit).SetLimit(int64(limit)).SetProjection(fields))
	if err != nil {
		return nil, s.failure(err)
	}
	defer func() { _ = cursor.Close(context.WithoutCancel(ctx)) }()
	for cursor.Next(ctx) {
		at, err := time.Parse(time.RFC3339Nano, text(cursor.Current, keyDate))
		if err != nil {
			return nil, s.failure(err)
		}
		found = append(found, store.Labelled{Date: at.UTC(), True: store.LabelOf(text(cursor.Current, keyTrue)),
			Predicted: store.LabelOf(text(cursor.Current, keyPredicted))})
	}
	return found, s.failure(cursor.Err())
}
