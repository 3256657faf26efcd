package pyrunner_test

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A node whose only worker cannot be replaced is not ready, and says so at once.
func TestWithoutWorkersANodeIsNotReady(t *testing.T) {
	n := start(t, `
MARK = os.path.join(os.path.dirname(__file__), "mark")
def init(ctx):
    if os.path.exists(MARK): raise RuntimeError("no database")
    open(MARK, "w").close()
def handler(ctx, data):
    if text(data) == "die": os._exit(3)
    return StringValue(value="alive")
`, nil)
	ready := func() (int, string) {
		res, err := http.Get(n.url + "/readyz")
		require.NoError(t, err)
		defer func() { _ = res.Body.Close() }()
		body, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		return res.StatusCode, string(body)
	}
	status, _ := ready()
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, http.StatusServiceUnavailable, n.post(request("die")).status)
	a := n.post(request("x")) // waits for the first attempt, not for a deadline
	require.Equal(t, http.StatusServiceUnavailable, a.status)
	require.Contains(t, a.body, "no worker could be started: ")
	status, body := ready()
	require.Equal(t, http.StatusServiceUnavailable, status)
	require.Contains(t, body, "no database")
	require.NoError(t, os.Remove(filepath.Join(n.dir, "src/model/mark")))
	require.Eventually(t, func() bool { status, _ := ready(); return status == http.StatusOK }, time.Minute, 20*time.Millisecond)
	require.Equal(t, "alive", n.text("x"))
}
