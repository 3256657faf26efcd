package mongo_test

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"krt.dev/kn-krt/pkg/letter"
	wire "krt.dev/kn-krt/pkg/runner/store"
	"krt.dev/kn-krt/pkg/runner/store/query"
	"krt.dev/kn-krt/pkg/store"
	"krt.dev/kn-krt/pkg/store/mongo"
	"krt.dev/kn-krt/test/store/server"
)

func connect(t *testing.T, s *server.Server) *driver.Client {
	t.Helper()
	c, err := driver.Connect(options.Client().ApplyURI(s.URL))
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Disconnect(context.Background()) })
	return c
}

func from(runtime string) store.Origin {
	return store.Origin{Runtime: runtime, Origin: wire.Origin{Version: "v2", Node: "model", Workflow: "flow"}}
}

func find(t *testing.T, b *mongo.Store, coll, text string, size int) (found []string) {
	t.Helper()
	var raw map[string]any
	require.NoError(t, store.Decode([]byte(text), &raw))
	q, err := query.Parse(raw)
	require.NoError(t, err)
	for page := (store.Page{Limit: size, Bytes: 1 << 20}); ; {
		part, err := b.FindDocuments(t.Context(), store.Collection{Runtime: "kre", Name: coll}, q, page)
		require.NoError(t, err)
		for _, document := range part.Documents {
			found = append(found, string(document))
		}
		if page.Cursor = part.Next; page.Cursor == "" {
			return found
		}
	}
}

// A database that the original filled is read as it is: by its own writer numbers are
// doubles, ids ObjectIds, and keys in the order of the user's.
func TestOriginalDocuments(t *testing.T) {
	s := server.Mongo(t)
	theirs := connect(t, s).Database("kre-data").Collection("prices")
	first, second := bson.NewObjectIDFromTimestamp(time.Unix(1600000000, 0)), bson.NewObjectIDFromTimestamp(time.Unix(1600000001, 0))
	_, err := theirs.InsertMany(t.Context(), []any{
		bson.D{{Key: "_id", Value: first}, {Key: "price", Value: 10.0},
			{Key: "o", Value: bson.D{{Key: "b", Value: 1.0}, {Key: "a", Value: "x"}}}},
		bson.D{{Key: "_id", Value: second}, {Key: "price", Value: 10.5}, {Key: "when", Value: "2020-09-13T12:26:41Z"},
			{Key: "at", Value: bson.NewDateTimeFromTime(time.Unix(1600000000, 0))}, {Key: "ref", Value: first}},
		bson.D{{Key: "_id", Value: "own"}, {Key: "price", Value: int32(10)}},
	})
	require.NoError(t, err)
	b := open(t, s)
	require.NoError(t, b.SaveDocument(t.Context(), from("kre"), "prices", store.Document{"_id": wire.NewID(), "price": true}))
	for _, size := range []int{1, 2, 10} {
		require.Len(t, find(t, b, "prices", `{}`, size), 4)
		require.ElementsMatch(t, []string{`{"_id":"` + first.Hex() + `","price":10,"o":{"b":1,"a":"x"}}`, `{"_id":"own","price":10}`},
			find(t, b, "prices", `{"price":10}`, size))
	}
	require.Len(t, find(t, b, "prices", `{"o":{"a":"x","b":1}}`, 10), 1, "objects are equal in any order of their keys")
	require.Equal(t, []string{`{"_id":"` + second.Hex() + `","price":10.5,"when":"2020-09-13T12:26:41Z",` +
		`"at":"2020-09-13T12:26:40Z","ref":"` + first.Hex() + `"}`}, find(t, b, "prices", `{"_id":"`+second.Hex()+`"}`, 10))
	require.Len(t, find(t, b, "prices", `{"_id":{"$in":["own","`+first.Hex()+`"]}}`, 10), 2)

	others := connect(t, s).Database("customer-data").Collection("orders")
	_, err = others.InsertOne(t.Context(), bson.D{{Key: "_id", Value: first}})
	require.NoError(t, err)
	forgotten, err := b.ForgetDocuments(t.Context(), "", time.Unix(1600000001, 0))
	require.NoError(t, err)
	require.EqualValues(t, 1, forgotten, "of collections in which the store saves, not of other programs")
	require.Len(t, find(t, b, "prices", `{}`, 10), 3)
	require.ErrorContains(t, b.SaveDocument(t.Context(), from("kre"), "classificationMetrics", store.Document{"_id": "x"}),
		"in MongoDB it has the predictions")
}

// A database that is restored without its indexes while the store runs gets them again, so that its documents are deleted in time.
func TestIndexIsMadeAgain(t *testing.T) {
	s := server.Mongo(t)
	b := open(t, s)
	save := func() {
		require.NoError(t, b.SaveDocument(t.Context(), from("kre"), "c", store.Document{"_id": wire.NewID()}))
	}
	forget := func() int64 {
		n, err := b.ForgetDocuments(t.Context(), "", time.Now().Add(time.Hour))
		require.NoError(t, err)
		return n
	}
	save()
	require.NoError(t, connect(t, s).Database("kre-data").Drop(t.Context()))
	save()
	require.Zero(t, forget(), "no index says that the store has saved it")
	save()
	require.EqualValues(t, 2, forget())
}

// What is saved has the original's shape for those who read the database.
func TestSavedAsTheOriginal(t *testing.T) {
	s := server.Mongo(t)
	b := open(t, s)
	id := wire.NewID()
	require.NoError(t, b.SaveDocument(t.Context(), from("kre"), "c", store.Document{"_id": id, "a": "x"}))
	require.NoError(t, b.SavePredictions(t.Context(), []store.Prediction{{
		Prediction: wire.Prediction{PredictedValue: "cat", TrueValue: "dog", Date: time.Date(2024, 5, 6, 7, 8, 9, 123456000, time.UTC)},
		Runtime:    "kre", Version: "v2",
	}}))
	data := connect(t, s).Database("kre-data")
	var document, prediction bson.M
	require.NoError(t, data.Collection("c").FindOne(t.Context(), bson.D{}).Decode(&document))
	require.Equal(t, id, document["_id"].(bson.ObjectID).Hex())
	require.Equal(t, "x", document["a"])
	require.NoError(t, data.Collection("classificationMetrics").FindOne(t.Context(), bson.D{}).Decode(&prediction))
	delete(prediction, "_id")
	require.Equal(t, bson.M{
		"date": "2024-05-06T07:08:09.123456Z", "error": "", "predictedValue": "cat", "trueValue": "dog", "extra": nil,
		"versionId": "v2", "versionName": "v2", "node": "", "workflow": "",
	}, prediction)
	indexes, err := data.Collection("classificationMetrics").Indexes().ListSpecifications(t.Context())
	require.NoError(t, err)
	require.Len(t, indexes, 2)
	require.Equal(t, "date_1_versionName_1", indexes[1].Name)
}

// Nodes read and delete documents, and reach no letters of any version; predictions are read as by the original's nodes.
func TestLettersAreNotDocuments(t *testing.T) {
	b := open(t, server.Mongo(t))
	kept := letter.Letter{
		Kind: letter.Result, ID: "id", Version: "v1", Workflow: "flow", Data: []byte("secret"),
		Time: time.Now(), Expires: time.Now().Add(time.Hour),
	}
	require.NoError(t, b.SaveLetter(t.Context(), "kre", kept))
	require.NoError(t, b.SavePredictions(t.Context(), []store.Prediction{{
		Prediction: wire.Prediction{PredictedValue: "cat", Date: time.Now()}, Runtime: "kre", Version: "v1",
	}}))
	in, refused := store.Collection{Runtime: "kre", Name: "krtLetters"}, "in MongoDB it has the results and dead letters"
	found, err := b.FindDocuments(t.Context(), in, nil, store.Page{Limit: 10, Bytes: 1 << 20})
	require.ErrorContains(t, err, refused)
	require.Empty(t, found.Documents)
	_, err = b.DeleteDocuments(t.Context(), in, nil, store.Part{})
	require.ErrorContains(t, err, refused)
	require.ErrorContains(t, b.SaveDocument(t.Context(), from("kre"), in.Name, store.Document{"_id": "x"}), refused)
	of := store.LetterSelection{Runtime: "kre", Kind: letter.Result, Version: "v1", ID: "id"}
	_, err = b.ReadLetter(t.Context(), of, func(int64) error { return nil })
	require.NoError(t, err, "it is there")
	require.Len(t, find(t, b, "classificationMetrics", `{}`, 10), 1)
}

// Predictions of the original are summarised without a migration.
func TestOriginalPredictions(t *testing.T) {
	s := server.Mongo(t)
	theirs := connect(t, s).Database("kre-data").Collection("classificationMetrics")
	row := func(date, reason string, predicted, truth any) bson.D {
		return bson.D{{Key: "date", Value: date}, {Key: "error", Value: reason}, {Key: "predictedValue", Value: predicted},
			{Key: "trueValue", Value: truth}, {Key: "extra", Value: bson.D{{Key: "k", Value: "v"}}},
			{Key: "versionId", Value: "5f1e"}, {Key: "versionName", Value: "v1"}}
	}
	_, err := theirs.InsertMany(t.Context(), []any{
		row("2020-09-13T12:00:00.000001Z", "", "cat", "cat"), row("2020-09-13T12:59:59Z", "", "cat", "dog"),
		row("2020-09-13T14:00:00.000000Z", "missing_values", "", ""), row("2020-09-14T00:00:00.000000Z", "", 3.0, 5.0),
	})
	require.NoError(t, err)
	b := open(t, s)
	day := time.Date(2020, 9, 13, 0, 0, 0, 0, time.UTC)
	counts, err := b.CountPredictions(t.Context(), store.Selection{Runtime: "kre"}, 24*time.Hour)
	require.NoError(t, err)
	require.Equal(t, []store.Counts{
		{Start: day, Total: 3, Missing: 1, Labelled: 2, Correct: 1},
		{Start: day.AddDate(0, 0, 1), Total: 1, Labelled: 1, Numbers: 1, Absolute: 2, Squared: 4},
	}, counts)
	counts, err = b.CountPredictions(t.Context(), store.Selection{Runtime: "kre", Version: "v1"}, 0)
	require.NoError(t, err)
	require.EqualValues(t, 4, counts[0].Total)
	listed, err := b.ListPredictions(t.Context(), store.Selection{Runtime: "kre"}, store.Page{Limit: 1, Bytes: 1 << 20})
	require.NoError(t, err)
	require.Equal(t, store.Prediction{Prediction: wire.Prediction{PredictedValue: "cat", TrueValue: "cat",
		Date: day.Add(12*time.Hour + time.Microsecond), Extra: map[string]any{"k": "v"}}, Runtime: "kre", Version: "v1"}, listed.Items[0])
	require.NotEmpty(t, listed.Next)
}

// Errors name the server and the cause, and never the password.
func TestErrors(t *testing.T) {
	s := server.Mongo(t)
	refused := store.Document{"_id": "1"}
	for url, want := range map[string]string{
		"mongodb://krt:hunter2@" + s.Address + "/?authMechanism=SCRAM-SHA-256": "MongoDB at " + s.Address + " refuses the user, the password",
		"mongodb://krt:hunter2@127.0.0.1:1":                                    "MongoDB at 127.0.0.1:1 does not respond: ",
		"mongodb+srv://krt:hunter2@db.krt.invalid":                             "MongoDB at db.krt.invalid: its hosts are not known: ",
	} {
		b, err := mongo.Open(t.Context(), url, mongo.Options{Logger: slog.New(slog.DiscardHandler)})
		require.NoError(t, err)
		for _, try := range []func() error{
			func() error { return b.Ping(t.Context()) },
			func() error { return b.SaveDocument(t.Context(), from("r"), "c", refused) },
		} {
			err := try()
			for end := time.Now().Add(time.Minute); late(err, want) && time.Now().Before(end); {
				err = try()
			}
			require.ErrorContains(t, err, want)
			require.NotContains(t, err.Error(), "hunter2")
		}
		require.NoError(t, b.Close())
	}
	_, err := mongo.Open(t.Context(), "mongodb://krt:hunter2@a:b:c", mongo.Options{Logger: slog.New(slog.DiscardHandler)})
	require.ErrorContains(t, err, "is not of the form mongodb://")
	require.NotContains(t, err.Error(), "hunter2")
	b := open(t, s)
	for want, origin := range map[string]store.Origin{
		"MongoDB allows 1 to 58 bytes for the name of one": from(strings.Repeat("n", 59)),
		`MongoDB allows no "$" in a name`:                  from("ok"),
	} {
		var problem *store.Problem
		require.ErrorAs(t, b.SaveDocument(t.Context(), origin, "a$", store.Document{"_id": "1"}), &problem)
		require.Equal(t, 400, problem.Status)
		require.ErrorContains(t, problem, want)
	}
}

// late reports whether the server has not responded in time, so that the error is not the one that is wanted.
func late(err error, want string) bool {
	return err != nil && strings.Contains(err.Error(), " does not respond: ") && !strings.Contains(err.Error(), want)
}

// A store may be opened before its server: it learns what that is when it responds.
func TestOpenBeforeTheServer(t *testing.T) {
	s := server.Mongo(t)
	s.Kill()
	b := openUnknown(t, s)
	document := store.Document{"_id": "1", "a": 1}
	for _, err := range []error{
		b.SaveDocument(t.Context(), from("r"), "c", document),
		b.SavePredictions(t.Context(), []store.Prediction{{Runtime: "r"}}),
	} {
		require.ErrorContains(t, err, "MongoDB at "+s.Address+" does not respond: ")
		require.True(t, store.IsUnavailable(err))
	}
	s.Start(t)
	require.Eventually(t, func() bool {
		return b.SaveDocument(t.Context(), from("r"), "c", document) == nil
	}, time.Minute, 100*time.Millisecond)
}

// While the server is killed and started again, nothing is lost that was acknowledged, and
// nothing is there twice.
func TestKill(t *testing.T) {
	s := server.Mongo(t)
	b := open(t, s)
	const writers, each = 4, 60
	var all sync.WaitGroup
	var mu sync.Mutex
	acknowledged := map[string]bool{}
	halfway := make(chan struct{}, writers)
	for range writers {
		all.Go(func() {
			for i := range each {
				id := wire.NewID()
				if b.SaveDocument(t.Context(), from("kre"), "c", store.Document{"_id": id}) == nil {
					mu.Lock()
					acknowledged[`{"_id":"`+id+`"}`] = true
					mu.Unlock()
				}
				if i == each/2 {
					halfway <- struct{}{}
				}
			}
		})
	}
	<-halfway
	s.Kill()
	s.Start(t)
	all.Wait()
	found := map[string]bool{}
	for _, document := range find(t, b, "c", `{}`, 50) {
		require.False(t, found[document], document)
		found[document] = true
	}
	for document := range acknowledged {
		require.True(t, found[document], "%s was acknowledged and is lost", document)
	}
	t.Logf("%d of %d acknowledged, all of them found", len(acknowledged), writers*each)
	require.Greater(t, len(acknowledged), writers*each/2)
}
