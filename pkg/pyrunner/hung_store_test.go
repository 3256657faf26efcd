package pyrunner_test

import (
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A store that hangs does not take a call to its deadline.
func TestHungStoreFailsNoCall(t *testing.T) {
	hung, err := net.Listen("tcp", "127.0.0.1:0") // takes connections, answers nothing
	require.NoError(t, err)
	t.Cleanup(func() { _ = hung.Close() })
	n := start(t, `
def handler(ctx, data):
    ctx.measurement.save("m", {"x": 1}, {})
    return StringValue(value="x")
`, map[string]string{"KRT_STORE": "http://" + hung.Addr().String()})
	in := request("x")
	in.Deadline = time.Now().Add(8 * time.Second)
	require.Equal(t, http.StatusOK, n.post(in).status)
	n.log.await(t, "cannot save the measurement")
}
