package e2e_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// cli is kn with kn-krt as its plugin.
type cli struct {
	place
	path string
}

// newCLI has the programs that a release would bring before PATH.
func newCLI(t *testing.T) cli {
	t.Helper()
	n := newRuntime(t)
	n.Python()
	if _, err := exec.LookPath("kn"); err != nil {
		t.Skip("needs kn")
	}
	require.NoError(t, buildPrograms())
	return cli{n, "PATH=" + programs + string(os.PathListSeparator) + os.Getenv("PATH")}
}

// programs is their folder, which is there while the tests run.
var programs string

func TestMain(m *testing.M) {
	var err error
	if programs, err = os.MkdirTemp("", "kn-krt-e2e-"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	_ = os.RemoveAll(programs)
	os.Exit(code)
}

// buildPrograms builds them, once for all tests.
var buildPrograms = sync.OnceValue(func() error {
	build := exec.Command("go", "build", "-o", programs, "krt.dev/kn-krt/cmd/kn-krt", "krt.dev/kn-krt/cmd/runner")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %w\n%s", err, out)
	}
	return nil
})

// krt runs kn krt in the test's namespace.
func (c cli) krt(args ...string) string {
	c.t.Helper()
	return c.Run("", "env", c.words(args)...)
}

// refused runs kn krt, which must fail and say why.
func (c cli) refused(why string, args ...string) {
	c.t.Helper()
	_, err := c.Try("", "env", c.words(args)...)
	require.ErrorContains(c.t, err, why)
}

func (c cli) words(args []string) []string {
	return append([]string{c.path, "kn", "krt"}, append(args, "--namespace", c.Name)...)
}

// create makes a version of a bundle and starts it.
func (c cli) create(bundle string, more ...string) string {
	c.t.Helper()
	base := "--base=python=" + os.Getenv("KRT_PYTHON_BASE")
	return c.krt(append([]string{"create", bundle, base, "--start"}, more...)...)
}

// From a bundle to a published version, the next one over it, and back.
func TestKnKrt(t *testing.T) {
	t.Parallel()
	c := newCLI(t)
	const bundle, first, second = "../../functions/price-estimator", "price-estimator-v1", "price-estimator-v2"
	c.refused(`no value for config variable "OUTPUT_PRICE_CURRENCY"`, "create", bundle, "--start", "--registry=localhost:1")
	out := c.create(bundle, "--set=OUTPUT_PRICE_CURRENCY=EUR", "--publish")
	require.Contains(t, out, "Version '"+first+"' published in namespace '"+c.Name+"'.")

	const request = `{"borough": "Queens", "room_type": "Private room", "accommodates": 2}`
	require.Contains(t, c.krt("invoke", first, "ny-room-price", "-d", request), `"currency"`)
	require.Contains(t, c.krt("invoke", "ny-room-price", "-d", request), `"currency"`, "the published one")
	require.Contains(t, c.krt("logs", first, "--node=etl"), "[etl] ")
	require.Contains(t, c.krt("graph", first), "client → ++ entrypoint → ++ etl → ++ model → ++ output → client")
	require.Contains(t, c.krt("events", first), "version/"+first)
	require.Contains(t, c.krt("doctor"), "++ kinds")

	next := filepath.Join(t.TempDir(), "next")
	require.NoError(t, os.CopyFS(next, os.DirFS(bundle)))
	manifest, err := os.ReadFile(filepath.Join(next, "krt.yml"))
	require.NoError(t, err)
	text := strings.Replace(string(manifest), first, second, 1)
	require.NoError(t, os.WriteFile(filepath.Join(next, "krt.yml"), []byte(text), 0o600))
	c.create(next, "--set=OUTPUT_PRICE_CURRENCY=USD", "--publish", "--delivery=Direct", "-m", "in dollars")
	require.Equal(t, second, c.Get("runtime/default", "{.status.publishedVersion}"))

	c.krt("rollback", "-m", "dollars are wrong")
	require.Equal(t, first, c.Get("runtime/default", "{.status.publishedVersion}"))
	c.refused(`cannot stop version "`+first+`": it is published`, "stop", first)
	c.refused(`cannot delete version "`+second+`": it is started`, "delete", second)
	c.krt("stop", second)
	c.krt("unpublish", first)
	c.krt("stop", first)
	c.krt("delete", first, second, "--wait", "--purge")
	require.Equal(t, "No versions found.", c.krt("list"))
}

// A bundle as the original's users packed it runs as it is.
func TestKnKrtOriginal(t *testing.T) {
	t.Parallel()
	c := newCLI(t)
	packed := filepath.Join(t.TempDir(), "words.krt")
	c.Run("", "env", c.path, "kn", "krt", "pack", "../bundles/runs/python-to-go", "-o", packed)
	require.Contains(t, c.create(packed), "Version 'word-counter-v1' started")
	require.Contains(t, c.krt("invoke", "word-counter-v1", "count", "-d", "{}"), "{")
	c.krt("stop", "word-counter-v1")
}

// What cannot start says why in the last line, with the command to go on with.
func TestKnKrtTellsACause(t *testing.T) {
	t.Parallel()
	c := newCLI(t)
	bundle := filepath.Join(t.TempDir(), "broken")
	require.NoError(t, os.CopyFS(bundle, os.DirFS("../bundles/runs/python-to-go")))
	code := filepath.Join(bundle, "src", "tokenizer", "main.py")
	require.FileExists(t, code)
	require.NoError(t, os.WriteFile(code, []byte("raise RuntimeError('no model here')\n"), 0o600))
	c.refused("no model here; see its log: kn krt logs word-counter-v1 -n "+c.Name+" --node tokenizer",
		"create", bundle, "--start", "--base=python="+os.Getenv("KRT_PYTHON_BASE"))
	c.Eventually(func() error { // a container that has just been started again has written nothing yet
		out, err := c.Try("", "env", c.words([]string{"logs", "word-counter-v1", "--node=tokenizer"})...)
		if err == nil && !strings.Contains(out, "RuntimeError: no model here") {
			err = fmt.Errorf("the log does not tell the cause: %s", out)
		}
		return err
	})
	c.krt("delete", "word-counter-v1", "--force")
}
