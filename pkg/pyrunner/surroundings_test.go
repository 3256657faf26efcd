package pyrunner_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/genproto/googleapis/rpc/errdetails"

	"krt.dev/kn-krt/pkg/pyrunner"
)

func TestStandardStreamsAreUsualOnes(t *testing.T) {
	n := start(t, `
import io, codecs
sys.stdout.reconfigure(line_buffering=True, encoding="utf-8", errors="replace")
sys.stderr.reconfigure(write_through=True)
assert (sys.stdout.name, sys.stderr.name, sys.stdout.mode, sys.stdout.line_buffering) == ("<stdout>", "<stderr>", "w", True)
wrapped = io.TextIOWrapper(sys.stdout.buffer, encoding="utf-8", line_buffering=True)
print("wrapped", file=wrapped)
del wrapped
codecs.getwriter("utf-8")(sys.stdout.detach()).write("detached\n")
def handler(ctx, data):
    print("still printed")
    return StringValue(value="x")
`, nil)
	require.Equal(t, "x", n.text("x"))
	for _, line := range []string{"wrapped", "detached", "still printed"} {
		n.log.await(t, line)
	}
}

func TestWhatTheNodeConfiguresOfLogging(t *testing.T) {
	for name, c := range map[string]struct {
		code      string
		want, not []string
	}{
		"nothing": {``, []string{`level=INFO msg=ctx-info`, `level=INFO msg=other-info`, `level=WARN msg=null-warn`}, []string{"ctx-debug"}},
		"basicConfig": {`logging.basicConfig(level=logging.DEBUG, format="<%(levelname)s %(name)s> %(message)s")`,
			[]string{`level=INFO msg="<DEBUG v1-model> ctx-debug"`, `level=INFO msg="<INFO other> other-info"`,
				`level=WARN msg="<WARN other.null> null-warn"`}, nil},
		"a level alone": {`logging.getLogger().setLevel(logging.DEBUG)`, []string{`level=INFO msg=ctx-debug`, `level=INFO msg=ctx-info`}, nil},
		"a high level":  {`logging.basicConfig(level=logging.ERROR)`, []string{`ctx-info`}, []string{"other-info"}},
		"a file": {`logging.basicConfig(filename=os.devnull, force=True)`,
			[]string{`level=INFO msg=ctx-info`}, []string{"other-info"}},
		"dictConfig": {`import logging.config
logging.config.dictConfig({"version": 1, "formatters": {"f": {"format": "%(asctime)s %(message)s", "datefmt": "%Y"}},
    "handlers": {"h": {"class": "logging.StreamHandler", "formatter": "f"}}, "root": {"level": "INFO", "handlers": ["h"]}})`,
			[]string{` ctx-info"`, ` ctx-error"`, `level=ERROR`}, nil},
		"dictConfig of nothing": {`import logging.config
logging.config.dictConfig({"version": 1})`, []string{`level=INFO msg=ctx-info`, `level=ERROR msg=ctx-error`}, nil},
		"ctx.logger": {`quiet = True`, []string{`ctx-error`}, []string{"ctx-info"}},
	} {
		t.Run(name, func(t *testing.T) {
			n := start(t, `
import logging
quiet = False
logging.getLogger("other.null").addHandler(logging.NullHandler())
`+c.code+`
def init(ctx):
    if quiet: ctx.logger.setLevel("ERROR")
def handler(ctx, data):
    assert ctx.logger is logging.getLogger("v1-model")
    ctx.logger.debug("ctx-debug")
    ctx.logger.info("ctx-info")
    logging.getLogger("other").info("other-info")
    logging.getLogger("other.null").warning("null-warn")
    ctx.logger.error("ctx-error")
    print("at the end")
    return StringValue(value="x")
`, nil)
			require.Equal(t, "x", n.text("x"))
			n.log.await(t, "at the end")
			for _, line := range c.want {
				require.Contains(t, n.log.String(), line)
			}
			for _, line := range c.not {
				require.NotContains(t, n.log.String(), line)
			}
			require.Equal(t, 1, strings.Count(n.log.String(), "ctx-error"), "each line once")
		})
	}
}

func TestErrorsKeepTheirType(t *testing.T) {
	n := start(t, `
class Own(Exception): pass
def handler(ctx, data):
    if text(data) == "key": return {"a": 1}["price"]
    if text(data) == "exit": sys.exit(3)
    if text(data) == "json":
        import json
        json.loads("")
    if text(data) == "none": return None
    raise Own("mine")
`, nil)
	for given, want := range map[string]struct{ text, kind string }{
		"key":  {"'price'", "KeyError"},
		"exit": {"3", "SystemExit"},
		"json": {"Expecting value: line 1 column 1 (char 0)", "json.decoder.JSONDecodeError"},
		"own":  {"mine", "Own"},
		"none": {"handler returned nothing (None): it must return a protobuf message", ""},
	} {
		a := n.post(request(given))
		require.Equal(t, http.StatusAccepted, a.status, a.body)
		status, err := (<-n.replies).Status()
		require.NoError(t, err)
		require.Equal(t, "error in 'model': "+want.text, status.Message)
		info := &errdetails.ErrorInfo{}
		require.NoError(t, status.Details[0].UnmarshalTo(info))
		require.Equal(t, want.kind, info.Metadata["type"])
	}
	n.log.await(t, `error='price' type=KeyError`)
}

func TestVirtualEnvironmentsThatAreNotUsed(t *testing.T) {
	dir := t.TempDir()
	write := func(name, script string) string {
		path := filepath.Join(dir, name, "bin", "python3")
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte("#!/bin/sh\n"+script+"\n"), 0o755))
		return filepath.Dir(path)
	}
	canary := filepath.Join(dir, "canary")
	bare, good := write("bare", "echo \"No module named 'google'\" >&2; exit 1"), write("good", "exit 0")
	bundle := filepath.Join(dir, "bundle")
	write("bundle/.venv", "touch "+canary)
	for name, c := range map[string]struct {
		env  map[string]string
		dir  string
		want []string
	}{
		"none":   {map[string]string{"PATH": good}, dir, nil},
		"active": {map[string]string{"PATH": bare, "VIRTUAL_ENV": filepath.Dir(good)}, dir, nil},
		"without protobuf": {map[string]string{"PATH": bare + ":" + good, "VIRTUAL_ENV": filepath.Dir(bare)}, dir, []string{
			"the active virtual environment " + filepath.Dir(bare) + " is not used: " + bare + "/python3: No module named 'google'; " +
				"install protobuf in it: " + bare + "/python3 -m pip install protobuf"}},
		"another named": {map[string]string{"KRT_PYTHON": good + "/python3", "VIRTUAL_ENV": filepath.Dir(bare)}, dir,
			[]string{"the active virtual environment " + filepath.Dir(bare) + " is not used: KRT_PYTHON names another interpreter"}},
		"gone": {map[string]string{"PATH": good, "VIRTUAL_ENV": "/nowhere"}, dir,
			[]string{"the active virtual environment /nowhere is not used: it has no bin/python3"}},
		"in the bundle": {map[string]string{"PATH": good}, bundle, []string{
			"the virtual environment .venv in the bundle is not used: set KRT_PYTHON=" + bundle + "/.venv/bin/python3 to run nodes with it"}},
	} {
		t.Run(name, func(t *testing.T) {
			env := func(name string) string { return c.env[name] }
			python, err := pyrunner.FindPython(env)
			require.NoError(t, err)
			require.Equal(t, c.want, pyrunner.PassedOver(env, c.dir, python))
			require.NoFileExists(t, canary, "programs of a bundle are not run to look at them")
		})
	}
}
