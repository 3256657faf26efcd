package remote

import (
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
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

func TestTheTimeoutOfWaitHoldsForAllRequests(t *testing.T) {
	kubeconfig := filepath.Join(t.TempDir(), "config")
	require.NoError(t, os.WriteFile(kubeconfig, []byte(`{"apiVersion": "v1", "kind": "Config", "current-context": "c",
"clusters": [{"name": "c", "cluster": {"server": "http://cluster"}}], "contexts": [{"name": "c", "context": {"cluster": "c"}}]}`), 0o600))
	synctest.Test(t, func(t *testing.T) {
		client, err := cluster.Connect(cluster.Options{
			Kubeconfig: kubeconfig, Wrap: func(http.RoundTripper) http.RoundTripper { return silent{} },
		})
		require.NoError(t, err)
		for timeout, took := range map[int]time.Duration{0: cluster.LookTime, 2: 2 * time.Second} {
			started := time.Now()
			o := waitOptions{streams: term.Streams{Out: io.Discard}, name: "v", limits: waitFlags{timeout: timeout}}
			err = runWait(t.Context(), &Cluster{Client: client}, o)
			require.ErrorIs(t, err, context.DeadlineExceeded)
			require.Equal(t, took, time.Since(started))
		}
	})
}
