package program

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/entrypoint"
	"krt.dev/kn-krt/pkg/entrypoint/durable"
	"krt.dev/kn-krt/pkg/letter"
	"krt.dev/kn-krt/pkg/runner/event"
	"krt.dev/kn-krt/test/jetstream"
)

// patient is for what a busy machine may take long to do.
const patient = 2 * time.Minute

// serve runs an entrypoint as [Main] does, but at any free addresses, until the test ends.
func serve(t *testing.T, config string) entrypoint.Listeners {
	t.Helper()
	c, v, o := configured(t, config)
	unobserve, err := c.observe(&o)
	require.NoError(t, err)
	end := durable.Extend(v, &o)
	c.GRPC, c.Web, c.Reply, c.Inspection = "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0"
	l, err := c.listen(t.Context())
	require.NoError(t, err)
	e, err := entrypoint.New(v, o)
	require.NoError(t, err)
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- e.Serve(ctx, l) }()
	t.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections()
		stop()
		require.NoError(t, <-done)
		end()
		unobserve()
	})
	return l
}

// ask sends a request to a port, and returns the status, the correlation id and the text of the response.
func ask(t *testing.T, method string, l net.Listener, path string, header ...string) (status int, id, text string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, "http://"+l.Addr().String()+path, strings.NewReader(`{"text": "x"}`))
	require.NoError(t, err)
	for i := 0; i < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return response.StatusCode, response.Header.Get("Krt-Correlation-Id"), string(body)
}

// What an entrypoint with a queue does for nobody who waits is in the store: the result, and what has failed
// until it is replayed.
func TestLettersOfDurableDelivery(t *testing.T) {
	var broken atomic.Bool
	node := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		in, err := event.ReadHeader(r.Header)
		if err == nil {
			in.Data, err = event.ReadBody(r.Body, r.ContentLength, 1<<20)
		}
		if err != nil || broken.Load() {
			http.Error(w, fmt.Sprintf("refused: %v", err), http.StatusUnprocessableEntity)
			return
		}
		in.Next("/krt/n/v/a", event.TypeMessage, "M", in.Data).WriteHeader(w.Header())
		_, _ = w.Write(in.Data)
	}))
	t.Cleanup(node.Close)
	queue := jetstream.Start(t, jetstream.Options(t.TempDir(), -1)).ClientURL()
	l := serve(t, fmt.Sprintf(`{"version": "v", "namespace": "n", "proto": "public.proto",
		"workflows": [{"name": "w", "entrypoint": "S.R", "steps": [{"node": "a", "url": %q}]}],
		"store": %q, "letters": true, "results": "1h", "measurements": "off", "queue": {"url": %q}}`, node.URL, startStore(t), queue))
	accepted := func() string {
		status, id, text := ask(t, http.MethodPost, l.Web, "/workflows/w", "Content-Type", "application/json",
			"Ce-Specversion", "1.0", "Ce-Id", "1", "Ce-Source", "/test", "Ce-Type", "any", "Prefer", "respond-async")
		require.Equal(t, http.StatusAccepted, status, text)
		return id
	}
	result := func(id string, want int) {
		require.Eventually(t, func() bool {
			status, _, _ := ask(t, http.MethodGet, l.Web, "/workflows/w/results/"+id)
			return status == want
		}, patient, 10*time.Millisecond)
	}
	dead := func() (list struct{ Letters []letter.Letter }) {
		status, _, text := ask(t, http.MethodGet, l.Inspection, "/letters/dead")
		require.Equal(t, http.StatusOK, status, text)
		require.NoError(t, json.Unmarshal([]byte(text), &list))
		return list
	}
	result(accepted(), http.StatusOK)
	require.Empty(t, dead().Letters)

	broken.Store(true)
	id := accepted()
	require.Eventually(t, func() bool { return len(dead().Letters) == 1 }, patient, 10*time.Millisecond)
	require.Equal(t, []string{id + "/0", "a", "M"}, []string{dead().Letters[0].ID, dead().Letters[0].Node, dead().Letters[0].Message})
	result(id, http.StatusServiceUnavailable)

	broken.Store(false)
	status, _, text := ask(t, http.MethodPost, l.Inspection, "/letters/dead/"+id+"/0/replay")
	require.Equal(t, http.StatusAccepted, status, text)
	result(id, http.StatusOK)
	require.Eventually(t, func() bool { return len(dead().Letters) == 0 }, patient, 10*time.Millisecond)
}
