package store_test

import (
	"context"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"
	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"

	"krt.dev/kn-krt/pkg/store"
	"krt.dev/kn-krt/pkg/store/mongo"
	"krt.dev/kn-krt/test/store/server"
)

// FerretDB has no index of a field, and reads all documents for a find: there are fewer, and
// fewer saves and finds of them.
const mongoDocuments, mongoSaves, mongoFinds = 2000, 160, 2

// bareMongo is MongoDB's driver, with as many connections as the store has.
type bareMongo struct {
	*driver.Collection

	store *driver.Collection
}

func newMongo(b *testing.B) *pair {
	b.Helper()
	s := server.Mongo(b)
	backend, err := mongo.Open(b.Context(), s.URL, mongo.Options{Logger: slog.New(slog.DiscardHandler)})
	require.NoError(b, err)
	concern := writeconcern.Majority()
	journal := true
	concern.Journal = &journal
	client, err := driver.Connect(options.Client().ApplyURI(s.URL).SetWriteConcern(concern).SetMaxPoolSize(64))
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, client.Disconnect(context.Background())) })
	p := &pair{
		B: b, database: "FerretDB, by MongoDB's protocol", documents: mongoDocuments,
		saves: mongoSaves, finds: mongoFinds, standIn: true,
		backends: store.Backends{Documents: backend, Predictions: backend}, server: s,
		bare: &bareMongo{client.Database("bare").Collection(coll), client.Database(store.LocalRuntime + "-data").Collection(coll)},
	}
	p.serve(backend.Close)
	return p
}

func (c *bareMongo) insert(ctx context.Context, document store.Document) error {
	_, err := c.InsertOne(ctx, document)
	return err
}

func (c *bareMongo) fillDocuments(b *testing.B, n int) {
	b.Helper()
	for _, of := range []*driver.Collection{c.Collection, c.store} {
		_, err := of.Indexes().CreateOne(b.Context(), driver.IndexModel{Keys: bson.D{{Key: "host", Value: 1}}})
		require.NoError(b, err)
		const some = 1000
		for begin := 0; begin < n; begin += some {
			var documents []any
			for i := begin; i < min(begin+some, n); i++ {
				d := document(i, hosts(n))
				if of == c.store { // as the store saves them
					d["_krt"] = bson.D{{Key: "at", Value: int64(i + 1)}}
				}
				documents = append(documents, d)
			}
			_, err := of.InsertMany(b.Context(), documents)
			require.NoError(b, err)
		}
	}
}

func (c *bareMongo) find(b *testing.B, host string) (found []map[string]any) {
	b.Helper()
	cursor, err := c.Find(b.Context(), bson.D{{Key: "host", Value: host}}, options.Find().SetSort(bson.D{{Key: "_id", Value: 1}}))
	require.NoError(b, err)
	require.NoError(b, cursor.All(b.Context(), &found))
	return found
}
