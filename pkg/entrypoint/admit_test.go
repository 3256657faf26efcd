package entrypoint_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"krt.dev/kn-krt/pkg/runner/event"
)

// full serves a version that processes the one request it may, until the test ends.
func (f *fixture) full() *fixture {
	busy, release := make(chan struct{}), make(chan struct{})
	o := quick()
	o.MaxInFlight = 1
	f.serve(f.version(node(f.t, "a", func(ctx context.Context, in *event.Event) (int, *event.Event) {
		close(busy)
		<-release
		return f.says("a", true)(ctx, in)
	})), o)
	answered := make(chan error, 1)
	go func() {
		_, err := f.call(context.Background(), "first")
		answered <- err
	}()
	<-busy
	f.t.Cleanup(func() {
		close(release)
		require.NoError(f.t, <-answered)
	})
	return f
}

// TestAdmitFirst: a request above the limit is refused before it is read.
func TestAdmitFirst(t *testing.T) {
	f := newFixture(t).full()
	for name, c := range map[string]struct {
		path, contentType string
		length            int64
	}{
		"json":       {"/test.Entrypoint/Call", "application/json", -1},
		"plain json": {"/test.Entrypoint/Call", "application/json", 1 << 20}, // which passes the transcoder by
		"connect":    {"/test.Entrypoint/Call", "application/proto", -1},
		"event":      {"/workflows/flow", "application/cloudevents+json", -1},
		"by type":    {"/", "application/cloudevents+json", -1},
	} {
		t.Run(name, func(t *testing.T) {
			body, writer := io.Pipe() // that never has any data
			t.Cleanup(func() { _ = writer.Close() })
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, f.web+c.path, body)
			require.NoError(t, err)
			req.ContentLength = c.length
			req.Header.Set("Content-Type", c.contentType)
			req.Header.Set("Connect-Protocol-Version", "1")
			req.Header.Set("Accept-Encoding", "identity")
			res, err := http.DefaultClient.Do(req)
			require.NoError(t, err)
			text, err := io.ReadAll(res.Body)
			require.NoError(t, err)
			require.NoError(t, res.Body.Close())
			require.Equal(t, http.StatusTooManyRequests, res.StatusCode)
			require.Contains(t, string(text), "the version is processing 1 requests, its limit")
		})
	}
	t.Run("grpc", func(t *testing.T) {
		stream, err := f.conn.NewStream(t.Context(), &grpc.StreamDesc{}, "/test.Entrypoint/Call")
		require.NoError(t, err)
		err = stream.RecvMsg(f.message("test.Reply")) // with no message sent
		require.Equal(t, codes.ResourceExhausted, status.Code(err), "%v", err)
	})
}

// TestFailuresAreLoggedWithinALimit: clients must not decide how much is logged.
func TestFailuresAreLoggedWithinALimit(t *testing.T) {
	f := newFixture(t)
	o, l := logged()
	f.serve(f.version(node(t, "a", func(context.Context, *event.Event) (int, *event.Event) { return http.StatusBadRequest, nil })), o)
	const failures = 200
	var all sync.WaitGroup
	for range failures { // at once: the limit is of lines in a second
		all.Go(func() {
			_, err := f.call(t.Context(), "x")
			assert.Equal(t, codes.Unavailable, status.Code(err), "%v", err)
		})
	}
	all.Wait()
	require.Eventually(t, func() bool { return strings.Contains(l.String(), `message="delivery failed" suppressed=`) }, time.Minute,
		time.Millisecond)
	require.Less(t, strings.Count(l.String(), `msg="delivery failed"`), failures)
}
