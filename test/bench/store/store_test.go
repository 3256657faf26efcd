// Package store_test compares the store to a bare client of the same database, each in the
// same run: saves and finds as a node sends them, over HTTP, and summaries. It also measures
// what becomes of more measurements than a node sends. See README.md for the command.
package store_test

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	wire "krt.dev/kn-krt/pkg/runner/store"
	"krt.dev/kn-krt/pkg/store"
	"krt.dev/kn-krt/pkg/store/postgres"
	"krt.dev/kn-krt/pkg/store/sqlite"
	"krt.dev/kn-krt/test/store/server"
)

var (
	documents   = flag.Int("documents", 100_000, "documents in the collection that is searched")
	predictions = flag.Int("predictions", 1_000_000, "predictions that are summarised")
)

const (
	clients = 16   // that save at the same time
	saves   = 2000 // of each side and round
	finds   = 10
	wanted  = 1000 // documents that a find returns
	rounds  = 9
	coll    = "rooms"
)

// bare is a client of a database that has a table of documents of its own.
type bare interface {
	insert(ctx context.Context, document store.Document) error
	// find returns the documents with a value of the field "host", in their order.
	find(b *testing.B, host string) []map[string]any
	// fillDocuments makes n documents that are searched, of the bare client and of the store.
	fillDocuments(b *testing.B, n int)
}

// summarised is a bare client that has a table of predictions, too.
type summarised interface {
	// pairs counts the pairs of values of predictions.
	pairs(b *testing.B) int
	// fillPredictions makes what is summarised, of the bare client and of the store.
	fillPredictions(b *testing.B)
}

// pair is a store, a node's client of it, and a bare client of the same database.
type pair struct {
	*testing.B

	database  string
	documents int // that are searched
	saves     int // of each side and round
	finds     int
	standIn   bool // the database stands for another one: no bar is held
	backends  store.Backends
	address   string
	client    *wire.Client
	bare      bare
	server    *server.Server // nil if there is none
}

// each runs a benchmark with each database that keeps everything.
func each(b *testing.B, run func(*pair)) {
	b.Run("SQLite", func(b *testing.B) { run(newSQLite(b)) })
	b.Run("PostgreSQL", func(b *testing.B) { run(newPostgres(b)) })
}

// eachOfDocuments runs a benchmark with each database that keeps documents.
func eachOfDocuments(b *testing.B, run func(*pair)) {
	each(b, run)
	b.Run("FerretDB", func(b *testing.B) { run(newMongo(b)) })
}

func newSQLite(b *testing.B) *pair {
	b.Helper()
	file := filepath.Join(b.TempDir(), "store.db")
	backend, err := sqlite.Open(file, sqlite.Options{MaxBytes: 64 << 30})
	require.NoError(b, err)
	p := &pair{
		B: b, database: "SQLite", documents: *documents, saves: saves, finds: finds,
		backends: store.All(backend), bare: newBareFile(b, file),
	}
	p.serve(backend.Close)
	return p
}

func newPostgres(b *testing.B) *pair {
	b.Helper()
	// As an administrator would set it up: what is acknowledged is on the disk.
	s := server.Postgres(b, "fsync=on", "shared_buffers=256MB", "max_wal_size=4GB")
	backend, err := postgres.Open(b.Context(), s.URL, postgres.Options{Logger: slog.New(slog.DiscardHandler)})
	require.NoError(b, err)
	p := &pair{
		B: b, database: "PostgreSQL", documents: *documents, saves: saves, finds: finds,
		backends: store.All(backend), bare: newBareServer(b, s), server: s,
	}
	p.serve(backend.Close)
	return p
}

// serve serves the backend until the benchmark ends, and closes it.
func (p *pair) serve(closed func() error) {
	p.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(p, err)
	ctx, end := context.WithCancel(context.Background())
	served := make(chan error, 1)
	options := store.Options{QueryTime: time.Hour, Logger: slog.New(slog.DiscardHandler)}
	go func() { served <- store.New(p.backends, options).Serve(ctx, listener) }()
	p.Cleanup(func() { end(); require.NoError(p, <-served); require.NoError(p, closed()) })
	p.address = "http://" + listener.Addr().String()
	p.client, err = wire.New(p.address)
	require.NoError(p, err)
}

// hosts is how many values the field "host" has in n documents.
func hosts(n int) int { return max(n/wanted, 1) }

// document is the nth that both sides save. What is searched has the same.
func document(n, hosts int) store.Document {
	return store.Document{
		wire.KeyID: fmt.Sprintf("%024x", n), "host": fmt.Sprintf("host-%d", n%hosts),
		"beds": n % 7, "price": float64(n) / 8, "text": strings.Repeat("x", 100),
	}
}
