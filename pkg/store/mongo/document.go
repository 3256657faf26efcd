package mongo

import (
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	wire "krt.dev/kn-krt/pkg/runner/store"
	"krt.dev/kn-krt/pkg/runner/store/query"
	"krt.dev/kn-krt/pkg/store"
)

const keyAt = keyOurs + ".at"

// inOrder is the order in which documents were saved: first those that another program has
// written, by their ids.
func inOrder() bson.D { return bson.D{{Key: keyAt, Value: 1}, {Key: wire.KeyID, Value: 1}} }

// reserved returns why a collection has no documents: it has what is not one.
func reserved(coll string) error {
	switch coll {
	case predictions:
		return store.Refuse("collection %q: in MongoDB it has the predictions, which ctx.prediction saves", coll)
	case letters:
		return store.Refuse("collection %q: in MongoDB it has the results and dead letters of versions", coll)
	}
	return nil
}

// readable returns a collection of which documents are read and deleted: not that of letters, which
// are of one version each. Predictions are read as the original's nodes read them.
func (s *Store) readable(ctx context.Context, in store.Collection) (*mongo.Collection, error) {
	if in.Name == letters {
		return nil, reserved(in.Name)
	}
	return s.collection(ctx, in.Runtime, in.Name)
}

// SaveDocument keeps a document. It is tried again when the connection is lost; one that
// was committed without a response is recognised.
func (s *Store) SaveDocument(ctx context.Context, from store.Origin, coll string, document store.Document) error {
	if err := reserved(coll); err != nil {
		return err
	}
	c, err := s.collection(ctx, from.Runtime, coll)
	if err != nil {
		return err
	}
	at := s.now()
	encoded, err := s.known.Load().dialect.encode(document, at)
	if err != nil {
		return err
	}
	return s.retry(ctx, func(again bool) error {
		if err := s.index(ctx, c, inOrder()); err != nil {
			return err
		}
		_, err := c.InsertOne(ctx, encoded)
		if !mongo.IsDuplicateKeyError(err) {
			return err
		}
		if again {
			n, err := c.CountDocuments(ctx, bson.D{{Key: wire.KeyID, Value: encoded[0].Value}, {Key: keyAt, Value: at}})
			if err != nil || n > 0 {
				return err
			}
		}
		return store.ErrExists
	})
}

// place is where a page begins: behind the documents that another program has written and
// that are skipped, or behind the time at which one of ours was saved.
type place struct {
	skip  int64
	after int64
}

func (p place) String() string {
	if p.after > 0 {
		return "at" + strconv.FormatInt(p.after, 10)
	}
	return "skip" + strconv.FormatInt(p.skip, 10)
}

func placeOf(cursor string) (p place, err error) {
	if cursor == "" {
		return p, nil
	}
	of := &p.skip
	text, ok := strings.CutPrefix(cursor, "skip")
	if !ok {
		of = &p.after
		text, ok = strings.CutPrefix(cursor, "at")
	}
	if *of, err = strconv.ParseInt(text, 10, 64); !ok || err != nil || *of < 0 || p.String() != cursor {
		return p, store.BadCursor()
	}
	return p, nil
}

// behind returns the place behind a document.
func (p place) behind(d decoded) place {
	if d.ours != nil && d.ours.At > 0 {
		return place{after: d.ours.At}
	}
	return place{skip: p.skip + 1}
}

// FindDocuments returns a page of the documents of a collection that meet q.
func (s *Store) FindDocuments(ctx context.Context, in store.Collection, q query.Query, page store.Page) (wire.Found, error) {
	found := wire.Found{Documents: []json.RawMessage{}}
	c, err := s.readable(ctx, in)
	if err != nil {
		return found, err
	}
	from, err := placeOf(page.Cursor)
	if err != nil {
		return found, err
	}
	err = s.retry(ctx, func(bool) error {
		size := 0
		found = wire.Found{Documents: []json.RawMessage{}}
		next, err := s.scan(ctx, find{c, q, from, page.Limit + 1, page.Until}, func(d decoded) bool {
			size += len(d.json)
			if len(found.Documents) == page.Limit || len(found.Documents) > 0 && size > page.Bytes {
				return false
			}
			found.Documents = append(found.Documents, d.json)
			return true
		})
		if next != nil {
			found.Next = next.String()
		}
		return err
	})
	return found, err
}

// find is a query for documents of a collection.
type find struct {
	in    *mongo.Collection
	query query.Query
	from  place
	limit int       // of the documents that are read, if the database decides
	until time.Time // when it ends, unless zero
}

// A response of the database has at most firstBatch documents, and then as many as have about
// batchBytes, at most maxBatch: not every server limits it, and the driver has all of it in memory.
const firstBatch, maxBatch, batchBytes = 100, 1000, 4 << 20

// batch is how many documents the next response should have, when n of size bytes were read.
func batch(n, size int) int32 { return int32(min(max(batchBytes*n/max(size, 1), 1), maxBatch)) }

func (s *Store) start(ctx context.Context, f find) (cursor *mongo.Cursor, exact bool, err error) {
	met := s.known.Load().dialect.compile(f.query)
	o := s.sorted(inOrder(), f.limit)
	if f.from.after > 0 {
		met = join("$and", []filter{{bson.D{{Key: keyAt, Value: bson.D{{Key: "$gt", Value: f.from.after}}}}, true}, met})
	}
	if f.from.skip > 0 {
		o.SetSkip(f.from.skip)
	}
	if met.exact {
		o.SetLimit(int64(f.limit))
	}
	cursor, err = f.in.Find(ctx, met.D, o)
	return cursor, met.exact, err
}

// sorted are the options of a find of which about limit documents are read.
func (s *Store) sorted(order bson.D, limit int) *options.FindOptionsBuilder {
	o := options.Find().SetSort(order).SetBatchSize(int32(min(limit, firstBatch)))
	if s.known.Load().sortsOnDisk {
		o.SetAllowDiskUse(true)
	}
	return o
}

// scan calls take for each document that is found, until it returns false. Next is where
// to go on: nil at the end.
func (s *Store) scan(ctx context.Context, f find, take func(decoded) bool) (next *place, err error) {
	cursor, exact, err := s.start(ctx, f)
	if err != nil {
		return nil, err
	}
	defer func() { _ = cursor.Close(context.WithoutCancel(ctx)) }()
	last, size := f.from, 0
	for n := 1; cursor.Next(ctx); n++ {
		size += len(cursor.Current)
		cursor.SetBatchSize(batch(n, size))
		d, err := decode(cursor.Current)
		if err != nil {
			return nil, err
		}
		meets, err := s.match(ctx, f.query, d.json, exact)
		if err != nil {
			return nil, err
		}
		if meets && !take(d) {
			return &last, nil
		}
		last = last.behind(d)
		if n%64 == 0 && !f.until.IsZero() && time.Now().After(f.until) {
			return &last, nil
		}
	}
	return nil, cursor.Err()
}

// each calls do for the collections of documents of a runtime, or of all. Views and what else is listed with them are none.
func (s *Store) each(ctx context.Context, runtime string, do func(runtime string, c *mongo.Collection) error) error {
	client, err := s.connected(ctx)
	if err != nil {
		return err
	}
	return s.all(ctx, runtime, func(runtime string) error {
		database := client.Database(runtime + suffix)
		names, err := database.ListCollectionNames(ctx, bson.D{{Key: "type", Value: "collection"}})
		if err != nil {
			return s.failure(err)
		}
		names = slices.DeleteFunc(names, func(name string) bool { return reserved(name) != nil || strings.HasPrefix(name, "system.") })
		return s.tryAll(ctx, names, func(name string) error { return s.failure(do(runtime, database.Collection(name))) })
	})
}

// Collections lists the collections of a runtime, or of all.
func (s *Store) Collections(ctx context.Context, runtime string) (found []store.CollectionSize, err error) {
	err = s.each(ctx, runtime, func(runtime string, c *mongo.Collection) error {
		n, err := c.EstimatedDocumentCount(ctx)
		if n > 0 {
			found = append(found, store.CollectionSize{Collection: store.Collection{Runtime: runtime, Name: c.Name()}, Documents: n})
		}
		return err
	})
	return found, err
}
