package pyrunner_test

import (
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// hungStore takes connections, and answers nothing.
func hungStore(t *testing.T) string {
	hung, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = hung.Close() })
	return "http://" + hung.Addr().String()
}

// A store that hangs does not take a call to its deadline.
func TestHungStoreFailsNoCall(t *testing.T) {
	n := start(t, `
def handler(ctx, data):
    ctx.measurement.save("m", {"x": 1}, {})
    return StringValue(value="x")
`, map[string]string{"KRT_STORE": hungStore(t)})
	in := request("x")
	in.Deadline = time.Now().Add(2 * time.Minute)
	require.Equal(t, http.StatusOK, n.post(in).status)
	n.log.await(t, "cannot save the measurement")
}

// Documents wait for a store that is slow, as long as it may take, and not longer than the request has time.
func TestPatienceWithTheStore(t *testing.T) {
	n := start(t, `
import time
from _krt_runner import store

class Call:
    def __init__(self, left): self.deadline_ns = left and int((time.time() + left) * 1e9)

def handler(ctx, data):
    find, saved = "/v1/collections/c/find", "/v1/measurements"
    assert store._patience(find, None) == store._patience(find, Call(0)) == store._patience(find, Call(600)) == 10
    assert store._patience(saved, None) == store._patience("/v1/predictions", Call(600)) == 3
    assert 0 < store._patience(find, Call(5)) <= 5, "what the request has left"
    assert 0 < store._patience(find, Call(-5)) < 1, "it is over"
    return StringValue(value="x")
`, nil)
	require.Equal(t, http.StatusOK, n.post(request("x")).status)
}
