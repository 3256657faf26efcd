package bundles_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/pyrunner"
	"krt.dev/kn-krt/test/localrun"
)

// copyOf copies a case, with keys added to its node.
func copyOf(t *testing.T, name, keys string) string {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.CopyFS(dir, os.DirFS("cases/"+name)))
	file := filepath.Join(dir, "krt.yml")
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	text = bytes.Replace(text, []byte("    src:"), []byte(keys+"    src:"), 1)
	require.NoError(t, os.WriteFile(file, text, 0o600))
	return dir
}

// TestOpenMP: what init computed with several threads, the handler goes on with.
func TestOpenMP(t *testing.T) {
	localrun.NeedPython(t)
	python, err := pyrunner.FindPython(os.Getenv)
	require.NoError(t, err)
	if out, err := exec.Command(python, "-c", "import sklearn.ensemble").CombinedOutput(); err != nil {
		t.Skipf("%s has no scikit-learn (Debian: python3-sklearn): %s", python, bytes.TrimSpace(out))
	}
	for name, keys := range map[string]string{"as it is": "", "forked": "    workers: 2\n    fork: true\n"} {
		t.Run(name, func(t *testing.T) {
			v := localrun.Start(t, copyOf(t, "openmp-load", keys))
			for range 4 {
				check(t, v, call{rpc: "entrypoint.Entrypoint/One", request: `{}`, want: `{"text": "[ True  True  True]"}`})
			}
			if name == "forked" {
				require.Contains(t, v.Log(), `is not forked: after init it has `)
			}
			require.Zero(t, v.Stop(t), "exit code")
		})
	}
}

// TestInitState: attributes of ctx and threads that init leaves are there.
func TestInitState(t *testing.T) {
	localrun.NeedPython(t)
	for name, keys := range map[string]string{"as it is": "", "four workers": "    workers: 4\n", "forked": "    fork: true\n"} {
		t.Run(name, func(t *testing.T) {
			v := localrun.Start(t, copyOf(t, "init-state", keys))
			method, err := v.Method(t.Context(), "entrypoint.Entrypoint/One")
			require.NoError(t, err)
			answer, err := method.Call(t.Context(), `{}`)
			require.NoError(t, err)
			found := regexp.MustCompile(`model set as an attribute; ticks (\d+) -> (\d+); threads 2;`).FindStringSubmatch(answer)
			require.NotNil(t, found, answer)
			before, _ := strconv.Atoi(found[1])
			after, _ := strconv.Atoi(found[2])
			require.Greater(t, after, before)
			require.Zero(t, v.Stop(t), "exit code")
		})
	}
}

// TestConnectionOfInit: each request gets its own answer by a connection that init
// opened, with one worker and with four.
func TestConnectionOfInit(t *testing.T) {
	localrun.NeedPython(t)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.URL.Path) }))
	t.Cleanup(server.Close)
	for name, keys := range map[string]string{"as it is": "", "four workers": "    workers: 4\n"} {
		t.Run(name, func(t *testing.T) {
			dir := copyOf(t, "init-state", keys+"    env: {SERVER: "+strconv.Quote(server.Listener.Addr().String())+"}\n")
			require.NoError(t, os.WriteFile(filepath.Join(dir, "src/n/main.py"), []byte(`
import http.client, os
from public_input_pb2 import Request, Response
def init(ctx): ctx.connection = http.client.HTTPConnection(os.environ["SERVER"])
def handler(ctx, data):
    request = Request()
    data.Unpack(request)
    ctx.connection.request("GET", "/" + request.arg)
    return Response(text=ctx.connection.getresponse().read().decode())
`), 0o600))
			v := localrun.Start(t, dir)
			method, err := v.Method(t.Context(), "entrypoint.Entrypoint/One")
			require.NoError(t, err)
			var callers sync.WaitGroup
			for i := range 40 {
				callers.Go(func() {
					answer, err := method.Call(context.Background(), fmt.Sprintf(`{"arg": "%d"}`, i))
					if want := fmt.Sprintf(`{"text":"/%d"}`, i); err != nil || !bytes.Equal(bytes.ReplaceAll([]byte(answer), []byte(" "), nil), []byte(want)) {
						t.Errorf("%s, %v; want %s", answer, err, want)
					}
				})
			}
			callers.Wait()
			require.Zero(t, v.Stop(t), "exit code")
		})
	}
}
