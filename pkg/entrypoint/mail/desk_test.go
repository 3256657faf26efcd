package mail_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/entrypoint/mail"
	"krt.dev/kn-krt/pkg/letter"
)

// shelf is a store that responds to each Get as get says.
type shelf struct {
	store

	get func() error
}

func (s *shelf) Get(context.Context, letter.Kind, string, string) (*letter.Letter, error) {
	return &letter.Letter{}, s.get()
}

// A letter may have 8 MiB, and clients may ask for as many as they like.
func TestFewLettersAreReadAtATime(t *testing.T) {
	var now, most atomic.Int32
	begun, goOn := make(chan struct{}, 32), make(chan struct{})
	b := mail.New(&shelf{get: func() error {
		n := now.Add(1)
		for before := most.Load(); n > before && !most.CompareAndSwap(before, n); before = most.Load() {
			continue
		}
		begun <- struct{}{}
		<-goOn
		now.Add(-1)
		return nil
	}}, slog.New(slog.DiscardHandler))
	var all sync.WaitGroup
	for range 32 {
		all.Go(func() {
			_, err := b.Get(context.Background(), letter.Result, "v1", "a")
			require.NoError(t, err)
		})
	}
	for range 4 {
		<-begun
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := b.Get(ctx, letter.Result, "v1", "a")
	require.ErrorIs(t, err, context.Canceled)
	close(goOn)
	all.Wait()
	require.EqualValues(t, 4, most.Load())
}

// What may pass is said to, so that who waits for a result goes on; and that there are none, so that they do not.
func TestStatusesOfTheDesk(t *testing.T) {
	for _, c := range []struct {
		err  error
		want int
	}{
		{letter.ErrNotFound, http.StatusNotFound},
		{&letter.Error{Status: http.StatusBadRequest}, http.StatusBadRequest},
		{&letter.Error{Status: http.StatusForbidden}, http.StatusServiceUnavailable},
		{&letter.Error{Status: http.StatusTooManyRequests}, http.StatusServiceUnavailable},
		{errors.New("the store does not respond"), http.StatusServiceUnavailable},
		{nil, http.StatusConflict},
	} {
		d := mail.Desk{Version: func() mail.Served { return mail.Served{Name: "v1"} }}
		if c.err != nil {
			d.Box = mail.New(&shelf{get: func() error { return c.err }}, slog.New(slog.DiscardHandler))
		}
		mux := http.NewServeMux()
		for pattern, h := range d.Handlers() {
			mux.HandleFunc(pattern, h)
		}
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/letters/dead/a/0", http.NoBody))
		require.Equal(t, c.want, w.Code, c.err)
	}
}
