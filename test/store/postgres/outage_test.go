package postgres_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	wire "krt.dev/kn-krt/pkg/runner/store"
	"krt.dev/kn-krt/pkg/runner/store/query"
	"krt.dev/kn-krt/pkg/store"
	"krt.dev/kn-krt/pkg/store/postgres"
	"krt.dev/kn-krt/test/store/server"
)

func quiet() postgres.Options { return postgres.Options{Logger: slog.New(slog.DiscardHandler)} }

func from() store.Origin { return store.Origin{Runtime: "r", Origin: wire.Origin{Version: "v"}} }

// run runs a statement as another client.
func run(t *testing.T, url, statement string) {
	t.Helper()
	c, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	defer c.Close(context.WithoutCancel(t.Context()))
	_, err = c.Exec(t.Context(), statement)
	require.NoError(t, err)
}

// Errors name the server and the cause, and never the password.
func TestErrors(t *testing.T) {
	s := server.Postgres(t)
	open(t, s)
	u, err := url.Parse(s.URL)
	require.NoError(t, err)
	with := func(change func(u *url.URL)) string {
		other := *u
		change(&other)
		return other.String()
	}
	for want, url := range map[string]string{
		`PostgreSQL at ` + s.Address + `/postgres refuses: password authentication failed for user "krt"`: with(func(u *url.URL) {
			u.User = url.UserPassword("krt", "hunter2")
		}),
		`PostgreSQL at ` + s.Address + `/missing refuses: database "missing" does not exist`: with(func(u *url.URL) { u.Path = "missing" }),
		`PostgreSQL at 127.0.0.1:1/postgres does not respond: dial tcp 127.0.0.1:1: connect: connection refused`: with(func(u *url.URL) {
			u.Host, u.User = "127.0.0.1:1", url.UserPassword("krt", "hunter2")
		}),
	} {
		b, err := postgres.Open(t.Context(), url, quiet())
		require.NoError(t, err)
		for _, err := range []error{b.Ping(t.Context()), b.SaveDocument(t.Context(), from(), "c", store.Document{"_id": "1"})} {
			require.ErrorContains(t, err, want)
			require.NotContains(t, err.Error(), "hunter2")
		}
		require.NoError(t, b.Close())
	}
	_, err = postgres.Open(t.Context(), "postgres://krt:hunter2@host:port:x/", quiet())
	require.ErrorContains(t, err, "is not of the form postgres://")
	require.NotContains(t, err.Error(), "hunter2")
	run(t, s.URL, "UPDATE krt_schema SET version = 99")
	_, err = postgres.Open(t.Context(), s.URL, quiet())
	require.ErrorContains(t, err, "made by a newer kn-krt (schema 99, this one supports 4): use that version, or another database")
}

// What PostgreSQL cannot keep is refused by name; a server that takes no writes says so.
func TestRefused(t *testing.T) {
	s := server.Postgres(t)
	b := open(t, s)
	for want, document := range map[string]store.Document{
		"cannot keep a zero byte in a text":                           {"_id": "1", "a": "x\x00"},
		"a number has more digits than PostgreSQL can keep":           {"_id": "2", "a": json.Number("1e200000")},
		"an _id is longer than PostgreSQL can index: it may have abo": {"_id": strings.Repeat(wire.NewID()+wire.NewID(), 5000)},
	} {
		var problem *store.Problem
		require.ErrorAs(t, b.SaveDocument(t.Context(), from(), "c", document), &problem, want)
		require.Equal(t, 400, problem.Status)
		require.ErrorContains(t, problem, want)
	}
	run(t, s.URL, "ALTER DATABASE postgres SET default_transaction_read_only = on")
	require.NoError(t, b.Close())
	b = open(t, s)
	var problem *store.Problem
	require.ErrorAs(t, b.SaveDocument(t.Context(), from(), "c", store.Document{"_id": "1"}), &problem)
	require.Equal(t, "PostgreSQL at "+s.Address+"/postgres is read-only", problem.Text)
	require.Equal(t, 503, problem.Status)
}

// A store may be opened before its server: it makes its tables when that responds.
func TestOpenBeforeTheServer(t *testing.T) {
	s := server.Postgres(t)
	s.Kill()
	b := open(t, s)
	document := store.Document{"_id": "1"}
	err := b.SaveDocument(t.Context(), from(), "c", document)
	require.ErrorContains(t, err, "PostgreSQL at "+s.Address+"/postgres does not respond: ")
	require.True(t, store.IsUnavailable(err))
	s.Start(t)
	require.NoError(t, b.SaveDocument(t.Context(), from(), "c", document))
	require.NoError(t, b.Ping(t.Context()))
}

// Several stores may make the tables at the same time.
func TestOpenTogether(t *testing.T) {
	s := server.Postgres(t)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			b, err := postgres.Open(t.Context(), s.URL, quiet())
			if err != nil {
				t.Error(err)
				return
			}
			_ = b.Close()
		})
	}
	all.Wait()
}

// While the server is killed and started again, nothing is lost that was acknowledged, and
// nothing is there twice.
func TestKill(t *testing.T) {
	s := server.Postgres(t)
	b := open(t, s)
	const writers, each = 8, 150
	var all sync.WaitGroup
	var mu sync.Mutex
	acknowledged := map[string]bool{}
	halfway := make(chan struct{}, writers)
	for writer := range writers {
		all.Go(func() {
			for i := range each {
				id := strconv.Itoa(writer) + "-" + strconv.Itoa(i)
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				if b.SaveDocument(ctx, from(), "c", store.Document{"_id": id}) == nil {
					mu.Lock()
					acknowledged[id] = true
					mu.Unlock()
				}
				cancel()
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
	found, err := b.FindDocuments(t.Context(), store.Collection{Runtime: "r", Name: "c"}, nil, store.Page{Limit: 10_000, Bytes: 1 << 24})
	require.NoError(t, err)
	seen := map[string]bool{}
	for _, document := range found.Documents {
		var object struct {
			ID string `json:"_id"`
		}
		require.NoError(t, json.Unmarshal(document, &object))
		require.False(t, seen[object.ID], object.ID)
		seen[object.ID] = true
	}
	for id := range acknowledged {
		require.True(t, seen[id], "%s was acknowledged and is lost", id)
	}
	t.Logf("%d of %d acknowledged, all of them found", len(acknowledged), writers*each)
	require.Greater(t, len(acknowledged), writers*each/2)
	s.Kill()
	_, err = b.FindDocuments(t.Context(), store.Collection{Runtime: "r", Name: "c"}, nil, store.Page{Limit: 1, Bytes: 1})
	require.ErrorContains(t, err, "PostgreSQL at "+s.Address+"/postgres does not respond: ")
}

// An equality is found by the index, among many documents.
func TestIndex(t *testing.T) {
	s := server.Postgres(t)
	open(t, s)
	run(t, s.URL, `INSERT INTO krt_documents (runtime, coll, doc, version, node, workflow)
SELECT 'r', 'c', jsonb_build_object('_id', i::text, 'user', i % 5000, 'tags', jsonb_build_array(i % 7)), '', '', ''
FROM generate_series(1, 50000) i`)
	run(t, s.URL, "VACUUM ANALYZE krt_documents")
	for _, text := range []string{`{"user":17}`, `{"user":{"$in":[17]},"tags":{"$gte":0}}`, `{"$and":[{"user":17},{"x":null}]}`} {
		var raw map[string]any
		require.NoError(t, store.Decode([]byte(text), &raw))
		q, err := query.Parse(raw)
		require.NoError(t, err)
		for _, limit := range []int{1, 5, 1000} {
			before := scans(t, s.URL, "krt_documents_doc")
			b := open(t, s)
			found, err := b.FindDocuments(t.Context(), store.Collection{Runtime: "r", Name: "c"}, q, store.Page{Limit: limit, Bytes: 1 << 20})
			require.NoError(t, err)
			require.Len(t, found.Documents, min(limit, 10))
			require.NoError(t, b.Close()) // the server counts when a connection ends
			used := func() bool { return scans(t, s.URL, "krt_documents_doc") > before }
			require.Eventually(t, used, time.Minute, 10*time.Millisecond, "%s: %d", text, limit)
		}
	}
}

// scans counts how often an index was used.
func scans(t *testing.T, url, index string) (n int) {
	t.Helper()
	c, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	defer c.Close(context.WithoutCancel(t.Context()))
	require.NoError(t, c.QueryRow(t.Context(), "SELECT idx_scan FROM pg_stat_user_indexes WHERE indexrelname = $1", index).Scan(&n))
	return n
}
