package durable_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/entrypoint/durable"
	"krt.dev/kn-krt/pkg/letter"
	"krt.dev/kn-krt/pkg/runner/event"
	wire "krt.dev/kn-krt/pkg/runner/store"
	"krt.dev/kn-krt/pkg/store"
	"krt.dev/kn-krt/pkg/store/sqlite"
	"krt.dev/kn-krt/test/jetstream"
)

// stored has letters kept by a store, and says when that is done.
type stored struct {
	durable.Letters
	done chan string
}

// Put implements durable.Letters.
func (s stored) Put(ctx context.Context, l letter.Letter) error {
	err := s.Letters.Put(ctx, l)
	s.done <- l.ID
	return err
}

// Delete implements durable.Letters.
func (s stored) Delete(ctx context.Context, k letter.Kind, version, id string) error {
	err := s.Letters.Delete(ctx, k, version, id)
	s.done <- id
	return err
}

// BenchmarkLetters is what an event costs that the last of three nodes gives up on, and whose dead letter is stored, and
// what the replay of that letter costs until it is deleted, beside an event that becomes none. The queue and the store,
// in SQLite, wait for the disk.
func BenchmarkLetters(b *testing.B) {
	v := newVersion(b, jetstream.Start(b, jetstream.Options(b.TempDir(), -1)).ClientURL())
	letters := letter.New(storeOf(b))
	kept := stored{letters, make(chan string, 1)}
	v.change = func(o *durable.Options) { o.Letters, o.Results = kept, 0 }
	r := v.serve()
	last := v.nodes[2]
	ran := make(chan string, 1)
	var fails atomic.Bool
	last.works(func(_ context.Context, in *event.Event, text string) (int, *event.Event) {
		if fails.Load() {
			return http.StatusBadRequest, nil
		}
		ran <- text
		return http.StatusOK, last.next(in, text)
	})
	require.Eventually(b, func() bool { _, status := r.async("first"); return status == http.StatusAccepted }, patient, time.Millisecond)
	<-ran
	n := 0
	send := func() string {
		n++
		return r.accepted(fmt.Sprint(n))
	}
	b.Run("ordinary event", func(b *testing.B) {
		for b.Loop() {
			send()
			<-ran
		}
	})
	die := func(b *testing.B) (id string) {
		id = send() + "/2"
		require.Equal(b, id, <-kept.done)
		return id
	}
	b.Run("dead letter", func(b *testing.B) {
		fails.Store(true)
		for b.Loop() {
			die(b)
		}
	})
	b.Run("replay", func(b *testing.B) {
		for b.Loop() {
			b.StopTimer()
			fails.Store(true)
			id := die(b)
			l, err := letters.Get(b.Context(), letter.Dead, "v1", id)
			require.NoError(b, err)
			fails.Store(false)
			b.StartTimer()
			require.NoError(b, r.carrier.Replay(b.Context(), *l))
			<-ran
			require.Equal(b, id, <-kept.done, "it is deleted")
		}
	})
}

// storeOf is a node's client of a store of the benchmark's own.
func storeOf(b *testing.B) *wire.Client {
	b.Helper()
	backend, err := sqlite.Open(filepath.Join(b.TempDir(), "store.db"), sqlite.Options{MaxBytes: 1 << 30})
	require.NoError(b, err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(b, err)
	ctx, end := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- store.New(store.All(backend), store.Options{}).Serve(ctx, l) }()
	b.Cleanup(func() { end(); require.NoError(b, <-served); require.NoError(b, backend.Close()) })
	c, err := wire.New("http://" + l.Addr().String())
	require.NoError(b, err)
	return c
}
