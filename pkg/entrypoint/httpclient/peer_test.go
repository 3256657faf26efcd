package httpclient

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// peers is a server that responds to the question who it is by asked, and counts what is posted to it.
func peers(t *testing.T, asked http.HandlerFunc) (to *url.URL, questions, posts *atomic.Int32) {
	t.Helper()
	questions, posts = new(atomic.Int32), new(atomic.Int32)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet && r.URL.Path == "/who" {
			questions.Add(1)
			asked(w, r)
			return
		}
		posts.Add(1)
	}))
	t.Cleanup(server.Close)
	to, err := url.Parse(server.URL + "/")
	require.NoError(t, err)
	return to, questions, posts
}

// patient are options with which a peer may take as long to name itself as a busy machine does.
var patient = Options{ConnectTime: 20 * time.Second}

func postTo(ctx context.Context, t *testing.T, c *Client, to *url.URL) error {
	t.Helper()
	res, err := c.Post(ctx, to, http.Header{}, Body{Data: []byte("data"), Peer: &Peer{Path: "/who", Header: "I-Am", Name: "me"}})
	if err == nil {
		require.NoError(t, res.Body.Close())
	}
	return err
}

func says(name string, status int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		if name != "" {
			w.Header().Set("I-Am", name)
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte("text"))
	}
}

func tooMuch(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, maxPeerBytes+1)) }

// more is next, with one more header.
func more(next http.HandlerFunc, header, value string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set(header, value)
		next(w, r)
	}
}

func TestAPeerIsAskedOncePerConnection(t *testing.T) {
	for _, status := range []int{http.StatusOK, http.StatusServiceUnavailable} {
		to, questions, posts := peers(t, says("me", status))
		c := New(patient)
		for range 3 {
			require.NoError(t, postTo(t.Context(), t, c, to))
		}
		c.Close()
		require.Equal(t, []int32{1, 3}, []int32{questions.Load(), posts.Load()})
	}
}

func TestAConnectionIsUsedForItsPeerAlone(t *testing.T) {
	to, questions, posts := peers(t, says("me", http.StatusOK))
	c := New(patient)
	defer c.Close()
	require.NoError(t, postTo(t.Context(), t, c, to))
	_, err := c.Post(t.Context(), to, http.Header{}, Body{Data: []byte("data"), Peer: &Peer{Path: "/who", Header: "I-Am", Name: "you"}})
	require.True(t, DialFailed(err), err)
	require.Equal(t, []int32{2, 1}, []int32{questions.Load(), posts.Load()})
	require.NoError(t, postTo(t.Context(), t, c, to))
	require.Equal(t, []int32{3, 2}, []int32{questions.Load(), posts.Load()})
}

func TestNothingIsPostedToWhoIsNotThePeer(t *testing.T) {
	for name, tt := range map[string]struct {
		asked http.HandlerFunc
		busy  bool
		text  string
	}{
		"another":       {says("other", http.StatusOK), false, `it is not me but "other": it responds to GET /who with HTTP 200`},
		"without name":  {says("", http.StatusOK), false, `it is not me but "": it responds to GET /who with HTTP 200`},
		"without node":  {says("", http.StatusBadGateway), false, `it responds to GET /who with HTTP 502`},
		"full":          {says("", http.StatusServiceUnavailable), true, `it is too busy: it responds to GET /who with HTTP 503`},
		"slow":          {func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, true, "it has not named itself within 1s"},
		"breaks off":    {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, false, "EOF"},
		"about to end":  {more(says("me", http.StatusOK), "Connection", "close"), false, "leaves no usable connection"},
		"says too much": {more(tooMuch, "I-Am", "me"), false, "leaves no usable connection"},
	} {
		t.Run(name, func(t *testing.T) {
			to, _, posts := peers(t, tt.asked)
			o := patient
			if name == "slow" {
				o = Options{}
			}
			c := New(o)
			defer c.Close()
			err := postTo(t.Context(), t, c, to)
			require.ErrorContains(t, err, tt.text)
			require.True(t, DialFailed(err))
			require.Equal(t, tt.busy, Busy(err), err)
			require.Zero(t, posts.Load())
		})
	}
}

// Whose time is over while a peer is asked learns that, and nothing about the peer.
func TestAQuestionEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("the deadline has passed")
	to, _, posts := peers(t, func(_ http.ResponseWriter, r *http.Request) {
		cancel(cause)
		<-r.Context().Done()
	})
	c := New(patient)
	defer c.Close()
	err := postTo(ctx, t, c, to)
	require.ErrorIs(t, err, cause)
	require.True(t, DialFailed(err))
	require.False(t, Busy(err), err)
	require.Zero(t, posts.Load())
}
