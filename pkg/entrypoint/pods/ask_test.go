package pods_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"knative.dev/pkg/network/handlers"

	"krt.dev/kn-krt/pkg/entrypoint/pods"
)

// A drainer is the first of queue-proxy's handlers.
func TestAQueueProxySaysWhetherItAcceptsRequests(t *testing.T) {
	drainer := &handlers.Drainer{QuietPeriod: 1, Inner: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		t.Error("it is no request")
	})}
	server := httptest.NewServer(drainer)
	defer server.Close()
	address := strings.TrimPrefix(server.URL, "http://")
	require.NoError(t, pods.Ask(t.Context(), address))
	drainer.Drain()
	require.ErrorContains(t, pods.Ask(t.Context(), address), "HTTP 503")
	server.Close()
	require.ErrorContains(t, pods.Ask(t.Context(), address), "connection refused")
}

func TestWhatIsNoQueueProxyAcceptsNothing(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer server.Close()
	require.ErrorContains(t, pods.Ask(t.Context(), strings.TrimPrefix(server.URL, "http://")), "HTTP 200")
}
