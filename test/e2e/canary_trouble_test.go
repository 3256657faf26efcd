package e2e_test

import (
	"bufio"
	"bytes"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/render"
)

// fallbacks are those that all entrypoints of the published version have counted.
func (n place) fallbacks() int {
	n.t.Helper()
	sum := 0
	for ip := range strings.FieldsSeq(n.Get("pods", "{.items[?(@.metadata.labels.version-name=='"+former+"-entrypoint')].status.podIP}")) {
		request, err := http.NewRequestWithContext(n.t.Context(), http.MethodGet, render.MetricsURL(ip), http.NoBody)
		require.NoError(n.t, err)
		status, text, err := do(http.DefaultClient, request)
		require.NoError(n.t, err)
		require.Equal(n.t, http.StatusOK, status)
		for line := bufio.NewScanner(strings.NewReader(text)); line.Scan(); {
			if value, found := strings.CutPrefix(line.Text(), `krt_traffic_fallbacks_total{canary="`+latter+`"} `); found {
				count, err := strconv.Atoi(value)
				require.NoError(n.t, err)
				sum += count
			}
		}
	}
	return sum
}

// signal sends a signal to the entrypoint of a version, whose process is that with its pod's address.
func (n place) signal(version string, s syscall.Signal) {
	n.t.Helper()
	ip := n.Get("pods", "{.items[?(@.metadata.labels.version-name=='"+version+"-entrypoint')].status.podIP}")
	files, err := filepath.Glob("/proc/[0-9]*/environ")
	require.NoError(n.t, err)
	for _, file := range files {
		vars, err := os.ReadFile(file)
		if err != nil || !slices.ContainsFunc(bytes.Split(vars, []byte{0}), func(v []byte) bool { return string(v) == "POD_IP="+ip }) {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		require.NoError(n.t, err)
		require.NoError(n.t, syscall.Kill(pid, s))
		return
	}
	n.t.Skip("needs a cluster whose processes are this machine's: make cluster")
}

// Whatever a canary does, no request of a client is lost: it is not ready, slow, hangs for a moment, or dies.
func TestCanaryFaults(t *testing.T) {
	long(t)
	n := newRuntime(t)
	n.Inside()
	n.behaving(former, 2, nil)
	n.behaving(latter, 1, nil)
	n.behaving("slow", 1, env{"TAKES": "2s", "SAYS": latter})
	n.behaving("crashing", 1, env{"CRASH": "it cannot start", "SAYS": latter})
	for _, version := range []string{former, latter, "slow"} {
		n.Ready("version/" + version)
	}
	n.publish(former)
	n.published(former)
	n.at("active-entrypoint")
	load := n.traffic()
	load.some(n, 50)
	give := func(version, phase string) {
		n.divide(fmt.Sprintf(`{publishedVersion: %s, canary: {version: %s, weight: 50}}`, former, version), phase)
		n.settled()
	}
	during := func(what string, from time.Time) {
		responses := load.since(from)
		t.Logf("%s: %d requests, %d by the canary, %d lost, fallbacks %d", what, len(responses), by(latter, responses),
			len(lost(responses)), n.fallbacks())
		require.Empty(t, lost(responses), what)
	}

	from := time.Now()
	give("crashing", "Waiting 0")
	load.some(n, 300)
	require.Zero(t, by(latter, load.since(from)), "responses of a canary that is not ready")
	during("not ready", from)

	from = time.Now()
	give("slow", "Serving 50")
	load.some(n, 200)
	require.NotZero(t, by(latter, load.since(from)))
	during("slow", from)

	give(latter, "Serving 50")
	require.NotZero(t, by(latter, load.some(n, 100)))
	from = time.Now()
	n.signal(latter, syscall.SIGSTOP)
	n.passes(10 * time.Second) // less than what clients wait for
	n.signal(latter, syscall.SIGCONT)
	load.some(n, 200)
	during("hung for 10 s", from)

	from, before := time.Now(), n.fallbacks()
	n.signal(latter, syscall.SIGKILL)
	n.Eventually(func() error {
		now := n.fallbacks()
		if now <= before {
			return fmt.Errorf("%d fallbacks, as before", now)
		}
		t.Logf("%d fallbacks", now-before)
		return nil
	})
	load.some(n, 200)
	n.Ready("version/" + latter)
	n.divide(fmt.Sprintf(`{publishedVersion: %s, canary: {version: %s, weight: 50}}`, former, latter), "Serving 50")
	during("killed", from)
	all := load.end()
	t.Logf("%d requests, %d lost", len(all), len(lost(all)))
	require.Empty(t, lost(all))
}
