package browser

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/test/localrun"
)

// version is a version that runs by `kn-krt run`, in a process of its own.
type version struct {
	*localrun.Version
	t *testing.T
	// dashboard is the URL of the first page, with a slash at its end.
	dashboard string
}

// event is something that the run has reported.
type event struct{ localrun.Event }

// run starts the version in folder dir, and returns when its dashboard is served: its nodes are
// not ready then. It is stopped at the end of the test.
func run(t *testing.T, dir string, flags ...string) *version {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	v := &version{t: t, Version: localrun.Launch(t, self, dir, append([]string{"--reply-port", "0", "--inspect-port", "0"}, flags...)...)}
	v.dashboard = v.await("starting").Dashboard
	require.NotEmpty(t, v.dashboard)
	return v
}

// await returns the first event of a type, once it has come.
func (v *version) await(name string) event {
	v.t.Helper()
	return event{v.Await(v.t, name)}
}

// of is the URL of a page of the version: "" for Status, or such as "?workflow=a" or "logs".
func (v *version) of(name, page string) string {
	path := v.dashboard + "ns/local/versions/" + name
	if page == "" || strings.HasPrefix(page, "?") {
		return path + page
	}
	return path + "/" + page
}

// send calls an rpc of the version over its web port, with JSON.
func (e event) send(t *testing.T, rpc, data string) (status int, body string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+e.Web+"/"+rpc, strings.NewReader(data))
	require.NoError(t, err)
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return response.StatusCode, string(text)
}

// function is the folder of an example version.
func function(t *testing.T, name string) string {
	t.Helper()
	dir, err := filepath.Abs(filepath.Join("../../functions", name))
	require.NoError(t, err)
	return dir
}

// priceEstimator starts the version of the original's documentation.
func priceEstimator(t *testing.T) *version {
	t.Helper()
	localrun.NeedPython(t)
	return run(t, function(t, "price-estimator"), "--set", "OUTPUT_PRICE_CURRENCY=EUR")
}
