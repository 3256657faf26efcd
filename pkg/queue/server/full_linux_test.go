package server_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"krt.dev/kn-krt/pkg/queue"
)

// A queue whose volume is full says so, and has all that it has acknowledged once there is more room. The
// volume needs a user namespace with mounts.
func TestFullVolume(t *testing.T) {
	folder := os.Getenv("KRT_TEST_VOLUME")
	if folder == "" {
		inNamespace(t)
		return
	}
	i := install(t)
	i.config.Folder = filepath.Join(folder, "queue")
	q := i.start(t)
	c := i.own(t, q, "v1")
	large := event("")
	large.Data = make([]byte, 256<<10)
	kept := 0
	require.Eventually(t, func() bool {
		large.ID = fmt.Sprint(kept)
		if c.Publish(t.Context(), large) == nil {
			kept++
		}
		return q.Ready() != nil
	}, patient, time.Millisecond)
	require.Positive(t, kept)
	require.ErrorContains(t, q.Ready(), "whether the volume is full")
	require.Eventually(t, func() bool {
		err := queue.Probe(t.Context(), "nats://"+q.Addr())
		return err != nil && strings.Contains(err.Error(), "cannot write to its disk")
	}, patient, 5*time.Millisecond)
	require.Eventually(t, func() bool {
		err := c.Publish(t.Context(), large)
		return err != nil && strings.Contains(err.Error(), "its disk is full")
	}, patient, 5*time.Millisecond)
	health := httptest.NewRecorder()
	q.Handler().ServeHTTP(health, httptest.NewRequest(http.MethodGet, "/healthz", nil))
	require.Equal(t, http.StatusServiceUnavailable, health.Code, "it is started again")

	q.Stop()
	require.NoError(t, unix.Mount("", folder, "", unix.MS_REMOUNT, "size=64m"))
	q = i.start(t)
	c = i.own(t, q, "v1")
	require.GreaterOrEqual(t, events(t, c), int64(kept))
	publish(t, c, "more")
}

// inNamespace runs the test with a small volume of its own.
func inNamespace(t *testing.T) {
	folder := t.TempDir()
	run := func(command ...string) ([]byte, error) {
		script := `mount -t tmpfs -o size=3m tmpfs "$KRT_TEST_VOLUME" && exec "$@"`
		cmd := exec.CommandContext(t.Context(), "unshare", append([]string{"-rm", "sh", "-c", script, "sh"}, command...)...)
		cmd.Env = append(os.Environ(), "KRT_TEST_VOLUME="+folder)
		return cmd.CombinedOutput()
	}
	if out, err := run("true"); err != nil {
		t.Skipf("no volume of its own: %v: %s", err, out)
	}
	out, err := run(os.Args[0], "-test.run=^TestFullVolume$", "-test.v")
	require.NoError(t, err, string(out))
}
