package pyrunner_test

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/pyrunner"
)

const wanted = "define `async def handler(ctx, data)` in it (or `def handler`)"

func TestNodesThatDoNotStart(t *testing.T) {
	for name, c := range map[string]struct{ code, reason, logged string }{
		"empty":           {" \n", "src/model/main.py is empty: " + wanted, "main.py is empty"},
		"no handler":      {"x = 1", "src/model/main.py has no `handler`: " + wanted, "has no `handler`"},
		"handler is data": {"handler = 3", "src/model/main.py: `handler` is a int, not a function: " + wanted, "not a function"},
		"one argument":    {"def handler(ctx): pass", "src/model/main.py: handler must take two arguments, handler(ctx, data)", "two arguments"},
		"init arguments": {"def init(): pass\ndef handler(ctx, data): pass", "src/model/main.py: init must take one argument, init(ctx)",
			"one argument"},
		"runner 3": {"async def default_handler(ctx, data): pass", "src/model/main.py defines `default_handler`, " +
			"which belongs to runner 3 (KRT v2): a KRT V1 node " +
			"defines `handler(ctx, data)` and returns its message instead of calling `ctx.send_output`", "runner 3"},
		"send_output": {"async def handler(ctx, data): await ctx.send_output(data)", "src/model/main.py: the handler calls " +
			"`ctx.send_output`, which belongs to runner 3 (KRT v2): a KRT V1 handler returns its message", "runner 3"},
		"import error": {"import nowhere_to_be_found", "ModuleNotFoundError: No module named 'nowhere_to_be_found'", "line 1, in <module>"},
		"syntax error": {"def handler(ctx, data:\n", "SyntaxError: '(' was never closed", "src/model/main.py"},
		"error in init": {"async def init(ctx):\n    raise ValueError('no model')\ndef handler(ctx, data): pass", "ValueError: no model",
			"line 2, in init"},
		"exit at import": {"import sys\nsys.exit(4)", "SystemExit: 4", "line 2, in <module>"},
		"dies at import": {"import os\nos._exit(4)", "python exited: exit status 4", ""},
		"killed in init": {"import os\ndef init(ctx): os.kill(os.getpid(), 9)\ndef handler(ctx, data): pass", "python exited: signal: killed",
			""},
	} {
		for form, env := range forms {
			t.Run(name+" "+form, func(t *testing.T) {
				try := func() (*node, error) {
					n := begin(t, map[string]string{"src/model/main.py": c.code}, env, pyrunner.Options{})
					err := <-n.result
					n.result <- err
					return n, err
				}
				n, err := try()
				if strings.Contains(err.Error(), unseen) {
					n, err = try()
				}
				reason := c.reason
				if form == "lone" {
					reason = strings.Replace(reason, "python exited", "worker exited", 1)
				}
				require.EqualError(t, err, `cannot run node "model": `+reason)
				require.Contains(t, n.log.String(), c.logged)
				require.NotContains(t, n.log.String(), "_krt_runner/", "the shim's own frames")
				require.NotContains(t, n.log.String(), "importlib")
				require.NotContains(t, n.log.String(), "krt_main")
			})
		}
	}
}

func TestSettingsThatAreWrong(t *testing.T) {
	for name, c := range map[string]struct {
		env  map[string]string
		text string
	}{
		"no handler path": {map[string]string{"KRT_HANDLER_PATH": ""}, "KRT_HANDLER_PATH is not set: name the node's Python file"},
		"missing file": {map[string]string{"KRT_HANDLER_PATH": "src/none.py"},
			"cannot read the node's code src/none.py: No such file or directory"},
		"folder": {map[string]string{"KRT_HANDLER_PATH": "src/model"},
			"src/model is a folder, not a Python file: name the node's main.py"},
		"not Python": {map[string]string{"KRT_HANDLER_PATH": "src/model/data.txt"},
			"src/model/data.txt is not a Python file: its name must end in .py"},
		"workers": {map[string]string{"KRT_WORKERS": "none"}, `KRT_WORKERS: "none" is not a whole number from 1 to 256`},
		"queue":   {map[string]string{"KRT_QUEUE": "0"}, `KRT_QUEUE: "0" is not a whole number from 1 to 100000`},
		"fork":    {map[string]string{"KRT_FORK": "no"}, `KRT_FORK: "no" is neither true nor false`},
		"python": {map[string]string{"KRT_PYTHON": "/nowhere/python3"},
			"cannot find the Python interpreter: KRT_PYTHON is /nowhere/python3, which does not exist"},
		"log":   {map[string]string{"KRT_LOG": "xml"}, `KRT_LOG: "xml" is not one of json, plain, text`},
		"store": {map[string]string{"KRT_STORE": "ftp://x"}, "KRT_STORE"},
	} {
		t.Run(name, func(t *testing.T) {
			n := begin(t, map[string]string{"src/model/data.txt": "x", "src/model/main.py": "def handler(ctx, data): pass"}, c.env,
				pyrunner.Options{})
			err := <-n.result
			n.result <- err
			require.ErrorContains(t, err, c.text)
		})
	}
}

func TestNotReadyUntilInitReturns(t *testing.T) {
	gate := make(chan call, 1)
	path, open := listenForGate(t, gate)
	n := begin(t, map[string]string{"src/model/main.py": prelude + `
def init(ctx):
    gate = socket.socket(socket.AF_UNIX)
    gate.connect("` + path + `")
    gate.sendall(b"init\n")
    gate.recv(1)
def handler(ctx, data): return StringValue(value="x")
`}, nil, pyrunner.Options{})
	<-gate
	require.Equal(t, http.StatusServiceUnavailable, get(t, n.url+"/readyz"))
	require.Equal(t, http.StatusOK, get(t, n.url+"/healthz"))
	require.Equal(t, http.StatusServiceUnavailable, n.post(request("x")).status)
	open()
	n.awaitReady()
	require.Equal(t, http.StatusOK, get(t, n.url+"/readyz"))
}

func TestInitThatNeverEndsIsStopped(t *testing.T) {
	for form, env := range forms {
		t.Run(form, func(t *testing.T) {
			code := prelude + "def init(ctx):\n    tell('init')\n    time.sleep(3600)\ndef handler(ctx, data): pass"
			n := begin(t, map[string]string{"src/model/main.py": code}, env, pyrunner.Options{})
			init := <-n.told
			_ = n.end()
			init.gone(t)
		})
	}
}

func TestModuleIsLoadedAsItsAuthorExpects(t *testing.T) {
	n := begin(t, map[string]string{
		"src/some-node/main.py": prelude + `
import greet
from part import piece
def handler(ctx, data):
    here = os.path.relpath(__file__, ctx.path(""))
    return StringValue(value="|".join([greet.word, piece.word, __name__, here, sys.argv[0][-7:], os.path.basename(sys.path[0])]))
`,
		"src/some-node/greet.py":         "word = 'hello'",
		"src/some-node/part/__init__.py": "",
		"src/some-node/part/piece.py":    "import main\nword = main.__name__",
	}, map[string]string{"KRT_HANDLER_PATH": "src/some-node/main.py"}, pyrunner.Options{})
	n.awaitReady()
	require.Equal(t, "hello|main|main|src/some-node/main.py|main.py|some-node", n.text("x"))
	require.NoDirExists(t, filepath.Join(n.dir, "src/some-node/__pycache__"))
}

func TestInitRunsOnceForAllForkedWorkers(t *testing.T) {
	n := start(t, `
def init(ctx): tell("init")
def handler(ctx, data): return StringValue(value="x")
`, map[string]string{"KRT_WORKERS": "3", "KRT_FORK": "true"})
	require.Equal(t, "init", (<-n.told).text)
	require.Equal(t, "x", n.text("x"))
	require.Empty(t, n.told)
}

// Each lone worker inits for itself, and handlers run on init's event loop.
func TestLoneWorkersKeepWhatInitStarted(t *testing.T) {
	n := start(t, `
async def init(ctx):
    ctx.set("loop", asyncio.get_running_loop())
    ctx.set("task", asyncio.create_task(asyncio.sleep(3600)))
async def handler(ctx, data):
    assert ctx.get("loop") is asyncio.get_running_loop() and not ctx.get("task").done()
    return StringValue(value="same")
`, nil)
	require.Equal(t, "same", n.text("x"))
}

func TestTasksLeftByInitAreNamedWhenForking(t *testing.T) {
	n := start(t, "async def init(ctx): ctx.set('t', asyncio.create_task(asyncio.sleep(3600)))\ndef handler(ctx, data): pass",
		map[string]string{"KRT_FORK": "true"})
	n.log.await(t, "init left 1 asyncio task(s) running")
}

func TestFindPython(t *testing.T) {
	dir := t.TempDir()
	write := func(name, script string) string {
		path := filepath.Join(dir, name, "python3")
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte("#!/bin/sh\n"+script+"\n"), 0o755))
		return path
	}
	bare := write("bare", "echo \"No module named 'google'\" >&2; exit 1")
	good := write("good", "exit 0")
	for name, c := range map[string]struct{ path, python, want string }{
		"the first that has protobuf": {filepath.Dir(bare) + ":" + filepath.Dir(good), "", good},
		"KRT_PYTHON":                  {filepath.Dir(good), bare, bare},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := pyrunner.FindPython(func(name string) string {
				return map[string]string{"PATH": c.path, "KRT_PYTHON": c.python}[name]
			})
			require.NoError(t, err)
			require.Equal(t, c.want, got)
		})
	}
}

func TestShimTestsItself(t *testing.T) {
	python, err := findPython()
	if err != nil {
		t.Skipf("no Python to run nodes with: %v", err)
	}
	dir := t.TempDir()
	require.NoError(t, pyrunner.WriteShim(dir))
	node := t.TempDir()
	for _, name := range []string{"main.py", "test_main.py"} {
		text, err := os.ReadFile(filepath.Join("testdata", "node", name))
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(node, name), text, 0o644))
	}
	cmd := exec.Command(python, "-m", "unittest")
	cmd.Dir, cmd.Env = node, append(os.Environ(), "PYTHONPATH="+dir)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	require.Contains(t, string(out), "Ran 10 tests")
}

func get(t testing.TB, url string) int {
	t.Helper()
	res, err := http.Get(url)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	return res.StatusCode
}
