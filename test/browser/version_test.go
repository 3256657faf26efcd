package browser

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/pyrunner"
)

// version is a version that runs by `kn-krt run`, in a process of its own.
type version struct {
	t   *testing.T
	cmd *exec.Cmd
	// dashboard is the URL of the first page, with a slash at its end.
	dashboard string
	// state is its state folder.
	state string
	ended chan struct{}

	mu     sync.Mutex
	lines  []event
	news   chan struct{}
	stderr strings.Builder
}

// event is a line of the run's output.
type event struct {
	Event     string `json:"event"`
	Node      string `json:"node"`
	Version   string `json:"version"`
	GRPC      string `json:"grpc"`
	Web       string `json:"web"`
	Dashboard string `json:"dashboard"`
	Error     string `json:"error"`
}

// run starts the version in folder dir, and returns when its dashboard is served: its nodes are
// not ready then. It is stopped at the end of the test.
func run(t *testing.T, dir string, flags ...string) *version {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	v := &version{t: t, state: filepath.Join(t.TempDir(), "state"), ended: make(chan struct{}), news: make(chan struct{}, 1)}
	v.cmd = exec.Command(self, append([]string{"run", dir, "-o", "json", "--grpc-port", "0", "--web-port", "0", "--reply-port", "0",
		"--inspect-port", "0", "--state-dir", v.state}, flags...)...)
	v.cmd.Stderr = &v.stderr
	out, err := v.cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, v.cmd.Start())
	go v.read(bufio.NewScanner(out))
	t.Cleanup(v.stop)
	v.dashboard = v.await("starting").Dashboard
	require.NotEmpty(t, v.dashboard)
	return v
}

func (v *version) read(lines *bufio.Scanner) {
	defer close(v.ended)
	for lines.Scan() {
		var e event
		if json.Unmarshal(lines.Bytes(), &e) != nil || e.Event == "" {
			continue
		}
		v.mu.Lock()
		v.lines = append(v.lines, e)
		v.mu.Unlock()
		select {
		case v.news <- struct{}{}:
		default:
		}
	}
}

// find returns the first event of a type.
func (v *version) find(name string) (event, bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, e := range v.lines {
		if e.Event == name {
			return e, true
		}
	}
	return event{}, false
}

// await returns the first event of a type, once it has come.
func (v *version) await(name string) event {
	v.t.Helper()
	for {
		if e, found := v.find(name); found {
			return e
		}
		select {
		case <-v.news:
		case <-v.ended:
			if e, found := v.find(name); found {
				return e
			}
			require.FailNow(v.t, "the run has ended without "+name, "%+v\n%s", v.lines, &v.stderr)
		}
	}
}

// stop ends the run as Ctrl-C does.
func (v *version) stop() {
	_ = v.cmd.Process.Signal(os.Interrupt)
	<-v.ended
	_ = v.cmd.Wait()
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

// needPython skips the test without a Python that can run nodes.
func needPython(t *testing.T) {
	t.Helper()
	if _, err := pyrunner.FindPython(os.Getenv); err != nil {
		t.Skipf("Python nodes cannot run: %v", err)
	}
}

// priceEstimator starts the version of the original's documentation.
func priceEstimator(t *testing.T) *version {
	t.Helper()
	needPython(t)
	return run(t, function(t, "price-estimator"), "--set", "OUTPUT_PRICE_CURRENCY=EUR")
}
