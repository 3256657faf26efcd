package mongo

import (
	"context"
	"encoding/binary"
	"math"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	wire "krt.dev/kn-krt/pkg/runner/store"
	"krt.dev/kn-krt/pkg/runner/store/query"
	"krt.dev/kn-krt/pkg/store"
)

// DeleteDocuments deletes the documents of a collection that meet q.
func (s *Store) DeleteDocuments(ctx context.Context, in store.Collection, q query.Query, part store.Part) (done store.Deleted, err error) {
	c, err := s.readable(ctx, in)
	if err != nil {
		return done, err
	}
	f := find{in: c, query: q, limit: maxBatch, until: part.Until}
	if f.from, err = placeOf(part.Cursor); err != nil {
		return done, err
	}
	for {
		ids := bson.A{}
		next, err := s.scan(ctx, f, func(d decoded) bool {
			if len(ids) == maxBatch {
				return false
			}
			ids = append(ids, d.id)
			return true
		})
		if err != nil {
			return done, s.failure(err)
		}
		n, err := s.deleteIDs(ctx, c, ids)
		done.Count += n
		if err != nil || next == nil && len(ids) < maxBatch {
			return done, err
		}
		if next != nil {
			f.from = *next
		}
		if f.from.after == 0 { // what was deleted is not there to be skipped
			f.from.skip = max(f.from.skip-n, 0)
		}
		if part.Over() {
			done.Next = f.from.String()
			return done, nil
		}
	}
}

// deleteIDs deletes documents. It may be repeated.
func (s *Store) deleteIDs(ctx context.Context, c *mongo.Collection, ids bson.A) (deleted int64, err error) {
	if len(ids) == 0 {
		return 0, nil
	}
	return s.delete(ctx, c, bson.D{{Key: wire.KeyID, Value: bson.D{{Key: "$in", Value: ids}}}})
}

func (s *Store) delete(ctx context.Context, c *mongo.Collection, met bson.D) (deleted int64, err error) {
	err = s.retry(ctx, func(bool) error {
		result, err := c.DeleteMany(ctx, met)
		if err == nil {
			deleted += result.DeletedCount
		}
		return err
	})
	return deleted, err
}

// DeletePredictions deletes the selected predictions.
func (s *Store) DeletePredictions(ctx context.Context, of store.Selection, part store.Part) (store.Deleted, error) {
	return s.deleteAll(ctx, of.Runtime, part, s.predictions, selection(of))
}

// deleteAll deletes what meets a filter in one collection of a runtime, or of all.
func (s *Store) deleteAll(
	ctx context.Context, runtime string, part store.Part, in func(context.Context, string) (*mongo.Collection, error), met bson.D,
) (done store.Deleted, err error) {
	err = s.all(ctx, runtime, func(runtime string) error {
		if done.Next != "" {
			return nil
		}
		c, err := in(ctx, runtime)
		if err != nil {
			return err
		}
		there, err := part.Groups(maxBatch, func() (int64, error) { return s.deleteSome(ctx, c, met) })
		done.Count, done.Next = done.Count+there.Count, there.Next
		return err
	})
	return done, err
}

// deleteSome deletes some of the documents that meet a filter, maxBatch if there are as many.
func (s *Store) deleteSome(ctx context.Context, c *mongo.Collection, met bson.D) (int64, error) {
	return s.deleteFound(ctx, c, met, options.Find().SetLimit(maxBatch))
}

// deleteFound deletes the documents that a find has, of which it reads the ids.
func (s *Store) deleteFound(ctx context.Context, c *mongo.Collection, met bson.D, o *options.FindOptionsBuilder) (int64, error) {
	var found []struct {
		ID any `bson:"_id"`
	}
	err := s.retry(ctx, func(bool) error {
		cursor, err := c.Find(ctx, met, o.SetProjection(bson.D{{Key: wire.KeyID, Value: 1}}))
		if err != nil {
			return err
		}
		found = nil
		return cursor.All(ctx, &found)
	})
	if err != nil {
		return 0, err
	}
	ids := make(bson.A, len(found))
	for i, one := range found {
		ids[i] = one.ID
	}
	return s.deleteIDs(ctx, c, ids)
}

// ForgetDocuments deletes the documents saved before a time, in collections in which the store
// has saved some: a database of another program may have a name like that of a runtime. When
// the documents there were saved that another program has written, their ids say.
func (s *Store) ForgetDocuments(ctx context.Context, runtime string, before time.Time) (deleted int64, err error) {
	var first bson.ObjectID // of those made at that time
	binary.BigEndian.PutUint32(first[:], uint32(min(max(before.Unix(), 0), math.MaxUint32)))
	old := bson.D{{Key: "$or", Value: bson.A{
		bson.D{{Key: keyAt, Value: bson.D{{Key: "$lt", Value: before.UnixNano()}}}},
		bson.D{
			{Key: keyOurs, Value: bson.D{{Key: "$exists", Value: false}}},
			{Key: wire.KeyID, Value: bson.D{{Key: "$type", Value: "objectId"}, {Key: "$lt", Value: first}}},
		},
	}}}
	err = s.each(ctx, runtime, func(_ string, c *mongo.Collection) error {
		ours, err := savedIn(ctx, c)
		if err != nil {
			return err
		}
		if !ours { // no more, if it was dropped or restored since
			s.indexed.Delete(indexName(c, inOrder()))
			return nil
		}
		n, err := s.delete(ctx, c, old)
		deleted += n
		return err
	})
	return deleted, err
}
