package remote

import (
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/cli/term"
	"krt.dev/kn-krt/pkg/cluster"
)

// silent is an API server that never responds.
type silent struct{}

func (silent) RoundTrip(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

// slow is an API server that sends a version after some time, and nothing else.
type slow struct{ silent }

const slowness = 4 * time.Second

func (s slow) RoundTrip(r *http.Request) (*http.Response, error) {
	if !strings.HasSuffix(r.URL.Path, "/versions/v") {
		return s.silent.RoundTrip(r)
	}
	select {
	case <-r.Context().Done():
		return nil, r.Context().Err()
	case <-time.After(slowness):
	}
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Request: r,
		Body: io.NopCloser(strings.NewReader(`{"apiVersion": "krt.dev/v1alpha1", "kind": "Version", "metadata": {"name": "v"}}`)),
	}, nil
}

func TestTheTimeoutOfWaitHoldsForAllRequests(t *testing.T) {
	kubeconfig := filepath.Join(t.TempDir(), "config")
	require.NoError(t, os.WriteFile(kubeconfig, []byte(`{"apiVersion": "v1", "kind": "Config", "current-context": "c",
"clusters": [{"name": "c", "cluster": {"server": "http://cluster"}}], "contexts": [{"name": "c", "context": {"cluster": "c"}}]}`), 0o600))
	for _, server := range []http.RoundTripper{silent{}, slow{}} {
		for timeout, took := range map[int]time.Duration{0: cluster.LookTime, 2: 2 * time.Second, 6: 6 * time.Second} {
			synctest.Test(t, func(t *testing.T) {
				client, err := cluster.Connect(cluster.Options{
					Kubeconfig: kubeconfig, Wrap: func(http.RoundTripper) http.RoundTripper { return server },
				})
				require.NoError(t, err)
				started := time.Now()
				o := waitOptions{streams: term.Streams{Out: io.Discard}, name: "v", limits: waitFlags{timeout: timeout}}
				err = runWait(t.Context(), &Cluster{Client: client}, o)
				require.Equal(t, took, time.Since(started))
				var failed *cluster.WaitError
				if server == (slow{}) && took > slowness {
					require.ErrorAs(t, err, &failed)
					require.True(t, failed.Timeout)
				} else {
					require.ErrorIs(t, err, context.DeadlineExceeded)
				}
			})
		}
	}
}
