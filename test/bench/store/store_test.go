// Package store_test compares the store to a bare client of the same database, each in the
// same run: saves and finds as a node sends them, over HTTP, and summaries.
//
//	go test ./test/bench/store -run '^$' -bench . -benchtime 1x -documents 1000000
package store_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	wire "krt.dev/kn-krt/pkg/runner/store"
	"krt.dev/kn-krt/pkg/runner/store/query"
	"krt.dev/kn-krt/pkg/store"
	"krt.dev/kn-krt/pkg/store/sqlite"
)

var (
	documents   = flag.Int("documents", 100_000, "documents in the collection that is searched")
	predictions = flag.Int("predictions", 1_000_000, "predictions that are summarised")
)

const (
	clients = 16   // that save at the same time
	saves   = 2000 // of each side and round
	wanted  = 1000 // documents that a find returns
	rounds  = 5
	coll    = "rooms"
)

// pair is a store on SQLite, a node's client of it, and a file for the bare client.
type pair struct {
	*testing.B

	backend *sqlite.Store
	address string
	client  *wire.Client
	bare    *sql.DB
}

func newPair(b *testing.B) *pair {
	b.Helper()
	dir := b.TempDir()
	backend, err := sqlite.Open(filepath.Join(dir, "store.db"), sqlite.Options{MaxBytes: 64 << 30})
	require.NoError(b, err)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(b, err)
	ctx, end := context.WithCancel(context.Background())
	served := make(chan error, 1)
	options := store.Options{QueryTime: time.Hour, Logger: slog.New(slog.DiscardHandler)}
	go func() { served <- store.New(store.All(backend), options).Serve(ctx, listener) }()
	b.Cleanup(func() { end(); require.NoError(b, <-served); require.NoError(b, backend.Close()) })
	address := "http://" + listener.Addr().String()
	client, err := wire.New(address)
	require.NoError(b, err)
	// As the store has its file: one connection that writes, and every commit on the disk.
	bare, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "bare.db")+
		"?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=busy_timeout(5000)")
	require.NoError(b, err)
	bare.SetMaxOpenConns(1)
	b.Cleanup(func() { require.NoError(b, bare.Close()) })
	p := &pair{b, backend, address, client, bare}
	p.exec("CREATE TABLE documents (id INTEGER PRIMARY KEY, doc TEXT NOT NULL)")
	return p
}

func (p *pair) exec(statement string, args ...any) {
	p.Helper()
	_, err := p.bare.ExecContext(context.Background(), statement, args...)
	require.NoError(p, err)
}

func document(n int) store.Document {
	return store.Document{
		wire.KeyID: fmt.Sprintf("%024x", n), "host": fmt.Sprintf("host-%d", n%max(*documents/wanted, 1)),
		"beds": n % 7, "price": float64(n) / 8, "text": strings.Repeat("x", 100),
	}
}

// median is that of the durations, which it sorts.
func median(all []time.Duration) time.Duration {
	slices.Sort(all)
	return all[len(all)/2]
}

// compare prints the medians of both sides and their ratio.
func (p *pair) compare(store, bare []time.Duration) {
	of, to := median(store), median(bare)
	p.ReportMetric(float64(of.Microseconds()), "store-µs")
	p.ReportMetric(float64(to.Microseconds()), "bare-µs")
	p.ReportMetric(float64(of)/float64(to), "ratio")
	p.ReportMetric(0, "ns/op")
}

// BenchmarkSave is the median time of a save while 16 clients save.
func BenchmarkSave(b *testing.B) {
	p := newPair(b)
	next := 0
	side := func(save func(context.Context, store.Document) error) []time.Duration {
		times := make([]time.Duration, saves)
		var wait sync.WaitGroup
		for client := range clients {
			wait.Go(func() {
				for i := client; i < saves; i += clients {
					d, begin := document(next+i), time.Now()
					require.NoError(b, save(context.Background(), d))
					times[i] = time.Since(begin)
				}
			})
		}
		wait.Wait()
		return times
	}
	var kept, bare []time.Duration
	for range rounds {
		kept = append(kept, side(func(ctx context.Context, d store.Document) error {
			_, err := p.client.Save(ctx, wire.Origin{}, coll, d)
			return err
		})...)
		bare = append(bare, side(func(ctx context.Context, d store.Document) error {
			text, err := json.Marshal(d)
			if err == nil {
				_, err = p.bare.ExecContext(ctx, "INSERT INTO documents (doc) VALUES (?)", text)
			}
			return err
		})...)
		next += saves
	}
	p.compare(kept, bare)
}

// fill saves the documents on both sides.
func (p *pair) fill() {
	p.Helper()
	from := store.Origin{Runtime: store.LocalRuntime}
	const group = 64
	var wait sync.WaitGroup
	for client := range group { // the store writes those that wait together
		wait.Go(func() {
			for n := client; n < *documents; n += group {
				require.NoError(p, p.backend.SaveDocument(context.Background(), from, coll, document(n)))
			}
		})
	}
	wait.Wait()
	tx, err := p.bare.BeginTx(context.Background(), nil)
	require.NoError(p, err)
	for n := range *documents {
		text, err := json.Marshal(document(n))
		require.NoError(p, err)
		_, err = tx.ExecContext(context.Background(), "INSERT INTO documents (doc) VALUES (?)", string(text))
		require.NoError(p, err)
	}
	require.NoError(p, tx.Commit())
	p.exec("CREATE INDEX documents_host ON documents (json_extract(doc, '$.host'))")
}

// BenchmarkFind is the time in which a node has the 1,000 documents of all that have a value of
// an indexed field, decoded.
func BenchmarkFind(b *testing.B) {
	p := newPair(b)
	p.fill()
	q, err := query.Parse(map[string]any{"host": "host-3"})
	require.NoError(b, err)
	in := store.Collection{Runtime: store.LocalRuntime, Name: coll}
	for indexed := false; !indexed; { // finds make the index
		begin := time.Now()
		_, err := p.backend.FindDocuments(context.Background(), in, q, store.Page{Limit: 10 * wanted, Bytes: 1 << 30})
		require.NoError(b, err)
		indexed = time.Since(begin) < time.Duration(*documents)*time.Microsecond
	}
	var kept, bare, inside []time.Duration
	for range 20 * rounds {
		var found []map[string]any
		begin := time.Now()
		require.NoError(b, p.client.Find(context.Background(), wire.Origin{}, coll, map[string]any{"host": "host-3"}, &found))
		kept = append(kept, time.Since(begin))
		begin = time.Now()
		require.Len(b, p.find("host-3"), len(found))
		bare = append(bare, time.Since(begin))
		begin = time.Now()
		page, err := p.backend.FindDocuments(context.Background(), in, q, store.Page{Limit: 10 * wanted, Bytes: 1 << 30})
		inside = append(inside, time.Since(begin))
		require.NoError(b, err)
		require.Len(b, page.Documents, len(found))
	}
	b.ReportMetric(float64(median(inside).Microseconds()), "backend-µs")
	p.compare(kept, bare)
}

// find is a find of the bare client.
func (p *pair) find(host string) (found []map[string]any) {
	p.Helper()
	rows, err := p.bare.QueryContext(context.Background(),
		"SELECT id, doc FROM documents WHERE json_extract(doc, '$.host') = ? ORDER BY id", host)
	require.NoError(p, err)
	defer func() { require.NoError(p, rows.Close()) }()
	for rows.Next() {
		var id int64
		var text []byte
		var one map[string]any
		require.NoError(p, rows.Scan(&id, &text))
		require.NoError(p, json.Unmarshal(text, &one))
		found = append(found, one)
	}
	require.NoError(p, rows.Err())
	return found
}

// BenchmarkSummary is the time of a summary of all predictions, and that of counting the pairs
// of their values.
func BenchmarkSummary(b *testing.B) {
	p := newPair(b)
	p.exec("CREATE TABLE predictions (predicted TEXT, actual TEXT)")
	tx, err := p.bare.BeginTx(context.Background(), nil)
	require.NoError(b, err)
	const group = 10_000
	for n := 0; n < *predictions; n += group {
		var some []store.Prediction
		for i := range min(group, *predictions-n) {
			one := store.Prediction{Runtime: store.LocalRuntime, Version: "v", Node: "model", Workflow: "flow"}
			one.PredictedValue, one.TrueValue = fmt.Sprint("label-", (n+i)%7), fmt.Sprint("label-", (n+i)%11%7)
			one.Date = time.Date(2026, 1, 1, 0, 0, n+i, 0, time.UTC)
			some = append(some, one)
			_, err := tx.ExecContext(context.Background(), "INSERT INTO predictions VALUES (?, ?)", one.PredictedValue, one.TrueValue)
			require.NoError(b, err)
		}
		require.NoError(b, p.backend.SavePredictions(context.Background(), some))
	}
	require.NoError(b, tx.Commit())
	var kept, bare []time.Duration
	for range rounds {
		var summary struct{ Total int }
		begin := time.Now()
		response, err := http.Get(p.address + wire.PathSummary)
		require.NoError(b, err)
		require.NoError(b, json.NewDecoder(response.Body).Decode(&summary))
		require.NoError(b, response.Body.Close())
		kept = append(kept, time.Since(begin))
		require.Equal(b, *predictions, summary.Total)
		begin = time.Now()
		var pairs int
		require.NoError(b, p.bare.QueryRowContext(context.Background(),
			"SELECT count(*) FROM (SELECT predicted, actual, count(*) FROM predictions GROUP BY predicted, actual)").Scan(&pairs))
		require.Equal(b, 77/11*7, pairs)
		bare = append(bare, time.Since(begin))
	}
	p.compare(kept, bare)
}
