package durable_test

import (
	"bytes"
	"context"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/entrypoint"
	"krt.dev/kn-krt/pkg/entrypoint/cold"
	"krt.dev/kn-krt/pkg/entrypoint/durable"
	"krt.dev/kn-krt/pkg/entrypoint/mail"
	"krt.dev/kn-krt/pkg/letter"
	"krt.dev/kn-krt/pkg/runner/event"
)

// A node whose machine is lost says nothing, and neither does what is in between: once the time of a call is over, the node is
// called again.
func TestNodeThatSaysNothing(t *testing.T) {
	t.Parallel()
	v := start(t)
	v.nodes[1].seconds = 1
	v.change = func(o *durable.Options) { o.Retry.Count = 1000 } // on a slow machine, its response may be late, too
	r := v.serve()
	v.nodes[1].works(func(ctx context.Context, in *event.Event, text string) (int, *event.Event) {
		if v.nodes[1].ran(text) == 1 {
			<-ctx.Done()
		}
		return http.StatusOK, v.nodes[1].next(in, text+">b")
	})
	got, err := r.call(t.Context(), "x")
	require.NoError(t, err)
	require.Equal(t, "x>a>b>c", got)
	require.Equal(t, []int{1, 1}, []int{v.nodes[0].ran("x"), v.nodes[2].ran("x>a>b")})
	require.GreaterOrEqual(t, v.nodes[1].ran("x>a"), 2)
}

// What gives up while a node's pod is yet to come, as Knative does after the time of a call, is no failure of the node:
// retries are left for when it is there.
func TestNodeWithoutAPod(t *testing.T) {
	t.Parallel()
	v := start(t)
	folder := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(folder, cold.File), []byte(cold.Text([]cold.Node{{Node: "b"}})), 0o600))
	v.change = func(o *durable.Options) { o.Cold = cold.New(folder, v.log) }
	r := v.serve()
	v.nodes[1].works(func(_ context.Context, in *event.Event, text string) (int, *event.Event) {
		if v.nodes[1].ran(text) <= 8 { // with a retry count of 3
			return http.StatusGatewayTimeout, nil
		}
		return http.StatusOK, v.nodes[1].next(in, text+">b")
	})
	id := r.accepted("x")
	r.empty()
	require.Equal(t, 9, v.nodes[1].ran("x>a"))
	require.NotNil(t, v.letters.find(letter.Result, id))
	require.Nil(t, v.letters.find(letter.Dead, id+"/1"))
}

// Who sends an event, or replays a dead letter, while the queue is away is told over HTTP to do it again, and when.
func TestRetryAfterWhileTheQueueIsAway(t *testing.T) {
	v := start(t)
	v.options = func(o *entrypoint.Options) {
		o.Mail = mail.New(v.letters, v.log)
		o.Retry.Patience = 50 * time.Millisecond
	}
	r := v.serve()
	v.nodes[1].works(func(context.Context, *event.Event, string) (int, *event.Event) { return http.StatusBadRequest, nil })
	id := r.givenUp(1).ID
	r.empty()
	r.way.cut()
	for _, to := range []string{r.web + "/workflows/flow", r.inspect + "/letters/dead/" + id + "/replay"} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, to, bytes.NewReader(encode("y")))
		require.NoError(t, err)
		for name, value := range map[string]string{
			"Ce-Specversion": "1.0", "Ce-Id": "1", "Ce-Source": "/test", "Ce-Type": "any",
			"Content-Type": "application/protobuf", "Prefer": "respond-async",
		} {
			req.Header.Set(name, value)
		}
		res, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		require.Equal(t, http.StatusServiceUnavailable, res.StatusCode, to)
		require.Equal(t, "1", res.Header.Get("Retry-After"), to)
	}
	require.NotNil(t, v.letters.find(letter.Dead, id), "it waits to be replayed")
}
