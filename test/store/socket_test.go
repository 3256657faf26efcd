package store_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	wire "krt.dev/kn-krt/pkg/runner/store"
	"krt.dev/kn-krt/pkg/runner/store/storetest"
	"krt.dev/kn-krt/pkg/store"
)

// serve serves b as a local run does, and returns a client of it.
func serve(t *testing.T, b store.Backend) *wire.Client {
	t.Helper()
	dir, err := os.MkdirTemp("", "krt") // a socket's address is short
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	socket := filepath.Join(dir, "s.sock")
	listener, err := net.Listen("unix", socket)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() {
		served <- store.New(store.All(b), store.Options{Logger: slog.New(slog.DiscardHandler)}).Serve(ctx, listener)
	}()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-served)
	})
	client, err := wire.New("unix://" + socket)
	require.NoError(t, err)
	return client
}

func from() wire.Origin { return wire.Origin{Version: "v1", Node: "model", Workflow: "flow"} }

// TestOverASocket holds what nodes see of the local store to the table of queries.
func TestOverASocket(t *testing.T) {
	client := serve(t, open(t))
	n := 0
	storetest.Queries(t, func(t *testing.T, documents []json.RawMessage, text json.RawMessage) ([]json.RawMessage, error) {
		n++
		coll := "case " + strconv.Itoa(n)
		for _, document := range documents {
			_, err := client.Save(t.Context(), from(), coll, document)
			require.NoError(t, err)
		}
		var query map[string]any
		require.NoError(t, store.Decode(text, &query))
		var found []json.RawMessage
		err := client.Find(t.Context(), from(), coll, query, &found)
		return found, err
	})
}

// TestMoreThanOneResponseHas: a find reads on by itself, and each document once.
func TestMoreThanOneResponseHas(t *testing.T) {
	client := serve(t, open(t))
	const writers, each = 16, 700
	var all sync.WaitGroup
	for writer := range writers {
		all.Go(func() {
			for i := range each {
				if _, err := client.Save(t.Context(), from(), "many", map[string]any{"n": writer*each + i}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	var found []struct{ N int }
	require.NoError(t, client.Find(t.Context(), from(), "many", map[string]any{"n": map[string]any{"$gte": 0}}, &found))
	seen := map[int]bool{}
	for _, document := range found {
		seen[document.N] = true
	}
	require.Len(t, found, writers*each)
	require.Len(t, seen, writers*each)
}
