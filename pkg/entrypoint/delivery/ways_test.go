package delivery

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/mem"

	"krt.dev/kn-krt/pkg/entrypoint/httpclient"
	"krt.dev/kn-krt/pkg/entrypoint/memory"
	"krt.dev/kn-krt/pkg/entrypoint/pods"
	"krt.dev/kn-krt/pkg/runner/event"
)

// patient is for what a busy machine may take long to do.
const patient = 20 * time.Second

// podAt serves a pod, and returns its address and an exchange with nodes.
func podAt(t *testing.T, serve http.HandlerFunc) (*url.URL, *exchange) {
	t.Helper()
	s := httptest.NewServer(serve)
	t.Cleanup(s.Close)
	address, err := url.Parse(s.URL)
	require.NoError(t, err)
	x := &exchange{client: httpclient.New(httpclient.Options{}), pool: memory.NewUncountedPool(), limit: 1 << 20, retried: func() {}}
	t.Cleanup(x.client.Close)
	return address, x
}

func parcel() *Parcel { return &Parcel{Event: &event.Event{ID: "1"}, Data: mem.SliceBuffer("x")} }

// The connections of a pod that is too busy to name itself on a new one serve on, and the way to it is not closed.
func TestABusyPodKeepsItsConnections(t *testing.T) {
	var busy atomic.Bool
	at, release := make(chan struct{}, 1), make(chan struct{})
	address, x := podAt(t, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method == http.MethodPost:
			at <- struct{}{}
			<-release
			w.WriteHeader(http.StatusAccepted)
		case busy.Load():
			w.WriteHeader(http.StatusServiceUnavailable) // as queue-proxy's, which has no room for it
		default:
			w.Header().Set("Name", "a")
		}
	})
	x.peer = &httpclient.Peer{Path: "/readyz", Header: "Name", Name: "a"}
	s := &shortcut{exchange: x, node: "a", address: address, log: slog.New(slog.DiscardHandler)}
	type result struct {
		sent bool
		err  error
	}
	done := make(chan result)
	post := func() {
		_, sent, err := s.post(t.Context(), parcel(), &send{})
		done <- result{sent, err}
	}
	go post()
	<-at
	busy.Store(true)
	for range 2 { // a second connection, for which the pod has no room, and none is made soon after
		require.True(t, s.open())
		go post()
		got := <-done
		require.False(t, got.sent)
		require.True(t, httpclient.DialFailed(got.err))
	}
	close(release)
	require.Equal(t, result{sent: true}, <-done)
	for range 3 {
		require.True(t, s.open())
		go post()
		<-at
		require.Equal(t, result{sent: true}, <-done, "over the connection that there is")
	}
}

// Of the requests to a pod that was too busy, one at a time waits for whether it still is.
func TestABusyPodIsTriedByOne(t *testing.T) {
	var s shortcut
	var pauses [][2]bool
	note := func() {
		known, tries := s.known()
		pauses = append(pauses, [2]bool{known, tries})
	}
	note()
	s.busy.Store(time.Now().Add(time.Hour).UnixNano())
	note()
	s.busy.Store(1)
	note()
	s.busy.Add(int64(time.Hour)) // however slow this machine is
	note()
	require.Equal(t, [][2]bool{{false, false}, {true, false}, {false, true}, {true, false}}, pauses)
}

// A pod that has not responded in the time that a call may take gets no request before it is known to accept them;
// one whose client has left does.
func TestASilentPodIsBroken(t *testing.T) {
	for cause, broken := range map[error]bool{ErrSilent: true, errors.New("the client has left"): false} {
		at := make(chan struct{}, 1)
		address, x := podAt(t, func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body) // or the end of the connection is not seen
			at <- struct{}{}
			<-r.Context().Done()
		})
		gone := make(chan string, 1)
		set := pods.New("a", address, pods.Options{
			Lookup: func(context.Context, string) ([]netip.Addr, error) {
				return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, nil
			},
			Ask:  func(context.Context, string) error { return nil },
			Gone: func(host string) { gone <- host }, Logger: slog.New(slog.DiscardHandler),
		})
		t.Cleanup(set.Close)
		require.Eventually(t, func() bool {
			p := set.Pick()
			if p != nil {
				p.Done(pods.Responded, nil)
			}
			return p != nil
		}, patient, time.Millisecond)
		ctx, cancel := context.WithCancelCause(t.Context())
		go func() { <-at; cancel(cause) }()
		_, sent, err := (&balanced{exchange: x, Set: set}).post(ctx, parcel(), &send{})
		require.True(t, sent)
		require.ErrorIs(t, err, cause)
		require.Equal(t, broken, len(gone) == 1, "%v", cause)
	}
}
