package httpclient_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/entrypoint/httpclient"
)

// within is a host of this process. Done gets a value when a request has been served, after
// which end, if any, is called.
type within struct {
	serve http.HandlerFunc
	base  context.Context
	end   func()
	done  chan struct{}
}

func (w *within) Dial(string) (net.Conn, error) { return nil, errors.New("a connection is not wanted") }

func (w *within) Handler(host string) (http.Handler, context.Context, func()) {
	if host != "near" {
		return nil, nil, nil
	}
	return w.serve, w.base, func() {
		if w.end != nil {
			w.end()
		}
		w.done <- struct{}{}
	}
}

func serveWithin(t *testing.T, h http.HandlerFunc) (*within, func(context.Context, httpclient.Body) (*http.Response, error)) {
	w := &within{serve: h, base: t.Context(), done: make(chan struct{}, 1)}
	c := httpclient.New(httpclient.Options{Near: w})
	t.Cleanup(c.Close)
	return w, func(ctx context.Context, body httpclient.Body) (*http.Response, error) {
		body.Whole = true
		return c.Post(ctx, &url.URL{Scheme: "http", Host: "near", Path: "/"}, http.Header{"Ce-Id": {"1"}}, body)
	}
}

func TestWithinCarriesAllSizes(t *testing.T) {
	w, post := serveWithin(t, func(w http.ResponseWriter, r *http.Request) {
		data, err := io.ReadAll(r.Body)
		if err != nil || int64(len(data)) != r.ContentLength {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		w.Header().Set("Ce-Id", r.Header.Get("Ce-Id"))
		w.WriteHeader(http.StatusAccepted)
		_, _ = w.Write(data)
	})
	for _, size := range []int{0, 1, 1 << 10, 64 << 10, 64<<10 + 1, 3 << 20} {
		sent, want := 0, bytes.Repeat([]byte{'x'}, size)
		res, err := post(t.Context(), httpclient.Body{Data: want, Sent: func() { sent++ }})
		require.NoError(t, err)
		got, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		require.Equal(t, http.StatusAccepted, res.StatusCode)
		require.Equal(t, "1", res.Header.Get("Ce-Id"))
		require.True(t, bytes.Equal(want, got), "%d bytes", size)
		require.Equal(t, 1, sent)
		<-w.done
	}
}

// A handler that goes on when nobody waits any longer is told so, and has no access to what
// its caller lent it, nor anybody who reads its response.
func TestWithinTakesBackWhatItLent(t *testing.T) {
	begun, returned, told := make(chan struct{}), make(chan struct{}), make(chan error, 3)
	w, post := serveWithin(t, func(w http.ResponseWriter, r *http.Request) {
		close(begun)
		<-r.Context().Done()
		told <- r.Context().Err()
		<-returned
		_, err := r.Body.Read(make([]byte, 10))
		told <- err
		_, err = w.Write(make([]byte, 1<<20))
		told <- err
	})
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("the client is gone")
	go func() {
		<-begun
		cancel(why)
	}()
	_, err := post(ctx, httpclient.Body{Data: []byte("x"), Sent: func() { t.Error("it has not been sent") }})
	require.ErrorIs(t, err, why)
	close(returned)
	<-w.done
	require.ErrorIs(t, <-told, context.Canceled)
	require.Error(t, <-told)
	require.Error(t, <-told)
}

func TestWithinEndsAResponseWithItsContext(t *testing.T) {
	failed := make(chan error, 1)
	w, post := serveWithin(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write(make([]byte, 64<<10))
		_, err := w.Write(make([]byte, 1<<20))
		failed <- err
	})
	ctx, cancel := context.WithCancel(t.Context())
	res, err := post(ctx, httpclient.Body{})
	require.NoError(t, err)
	_, err = io.ReadFull(res.Body, make([]byte, 100<<10))
	require.NoError(t, err)
	cancel()
	require.Error(t, <-failed)
	_, err = io.ReadAll(res.Body)
	require.ErrorIs(t, err, context.Canceled)
	require.NoError(t, res.Body.Close())
	<-w.done
}

func TestWithinReportsAPanic(t *testing.T) {
	for _, size := range []int{0, 1 << 20} {
		w, post := serveWithin(t, func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write(make([]byte, size))
			panic("oh")
		})
		res, err := post(t.Context(), httpclient.Body{})
		if size > 0 {
			require.NoError(t, err)
			_, err = io.ReadAll(res.Body)
			require.NoError(t, res.Body.Close())
		}
		require.ErrorContains(t, err, "panicked: oh")
		<-w.done
	}
}

// The end of the server breaks off what it is doing, even where its handler goes on, or takes
// the end of its request for that of the client and responds without an event.
func TestWithinBreaksOffWithItsServer(t *testing.T) {
	for _, obeys := range []bool{true, false} {
		base, end := context.WithCancel(t.Context())
		wait, written := make(chan struct{}), make(chan error, 1)
		w, post := serveWithin(t, func(w http.ResponseWriter, r *http.Request) {
			end()
			<-r.Context().Done()
			if obeys {
				w.WriteHeader(http.StatusAccepted)
				return
			}
			<-wait
			_, err := w.Write(make([]byte, 1<<20)) // which nobody reads
			written <- err
		})
		w.base = base
		_, err := post(t.Context(), httpclient.Body{})
		require.EqualError(t, err, "it has stopped before it responded")
		close(wait)
		<-w.done
		if !obeys {
			require.Error(t, <-written)
		}
	}
}

// A response that was there before the end of the server counts, though it is looked at later.
func TestWithinKeepsWhatWasRespondedBeforeTheEnd(t *testing.T) {
	w, post := serveWithin(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusAccepted) })
	for range 200 {
		w.base, w.end = context.WithCancel(t.Context())
		res, err := post(t.Context(), httpclient.Body{})
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		<-w.done
	}
}
