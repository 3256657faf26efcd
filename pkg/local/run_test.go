package local

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/krt/archive"
	"krt.dev/kn-krt/pkg/krt/configvalue"
)

func TestRunAnswersAndStops(t *testing.T) {
	dir := newBundle(t)
	before := files(t, dir)
	r := startRun(t, dir, Options{})
	require.Equal(t, []ServingWorkflow{
		{Name: "one", Method: "test.Entrypoint/Hello", Example: `"text"`},
		{Name: "two", Method: "test.Entrypoint/Both", Example: `"text"`},
	}, r.serving.Workflows)
	r.requireAnswer(t, "Hello", "x", "hello x")
	r.requireAnswer(t, "Both", "x", "world hello x")
	pid, err := r.call("Hello", "pid")
	require.NoError(t, err)
	require.NoError(t, r.stop())
	number, err := strconv.Atoi(pid)
	require.NoError(t, err)
	requireGone(t, number)
	require.Equal(t, before, files(t, dir), "nothing is written to the bundle")
	require.NoDirExists(t, filepath.Join(r.state, "run"))
	require.Len(t, r.of(EventStopped), 1)
}

func TestNodesGetTheContractsEnvironment(t *testing.T) {
	t.Setenv("KRT_NODE_NAME", "of-a-node-above")
	t.Setenv("KRT_STRAY", "x")
	t.Setenv("KRT_WORKERS", "2")
	t.Setenv("INHERITED", "yes")
	t.Setenv("FROM_ENVIRONMENT", "env")
	dir := newBundle(t)
	manifest := strings.Replace(testManifest, "nodes:\n", `config: {variables: [SECRET, FROM_ENVIRONMENT], files: [CERT]}
nodes:
`, 1)
	manifest = strings.Replace(manifest, "src: bin/hello}", "src: bin/hello, env: {OWN: mine}, workers: 3, fork: true, gpu: true}", 1)
	write(t, filepath.Join(dir, "krt.yml"), manifest)
	r := startRun(t, dir, Options{MaxMessageBytes: 1 << 20, Config: configvalue.Source{
		Set:   map[string]string{"SECRET": "hunter2"},
		Files: map[string]string{"CERT": write(t, filepath.Join(t.TempDir(), "c"), "content")},
	}})
	for name, want := range map[string]string{
		"KRT_VERSION": "test-v1", "KRT_VERSION_ID": "test-v1", "KRT_RUNTIME_ID": "local",
		"KRT_NODE_NAME": "hello", "KRT_NODE_ID": "test-v1-hello", "KRT_WORKFLOW_NAME": "",
		"KRT_BASE_PATH": dir, "KRT_HANDLER_PATH": "bin/hello", "KRT_STRAY": "", "INHERITED": "yes",
		"KRT_REPLY_URL": "http://" + r.serving.Reply, "KRT_LOG": "json", "KRT_MAX_MESSAGE_BYTES": "1048576",
		"KRT_WORKERS": "3", "KRT_FORK": "true", "KRT_GPU": "true",
		"SECRET": "hunter2", "FROM_ENVIRONMENT": "env", "OWN": "mine",
	} {
		r.requireAnswer(t, "Hello", "variable "+name, want)
	}
	r.requireAnswer(t, "Hello", "folder", dir)
	r.requireAnswer(t, "Hello", "variable CERT", "content")
	path, err := r.call("Hello", "variable CERT_PATH")
	require.NoError(t, err)
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, "content", string(content))
	require.NoError(t, r.stop())
	require.NoFileExists(t, path)
	require.NotContains(t, r.output()+fmt.Sprint(r.events), "hunter2")
}

func TestRunRefusesBeforeAnythingStarts(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	for name, c := range map[string]struct {
		change  func(t *testing.T, dir string)
		path    string
		options Options
		want    string
	}{
		"no such folder": {path: "nowhere", want: `cannot run "nowhere": no such file or directory`},
		"invalid": {change: func(t *testing.T, dir string) {
			write(t, filepath.Join(dir, "krt.yml"), strings.Replace(testManifest, "[hello]", "[helo]", 1))
		}, want: `krt.yml:9:49: workflow "one": node "helo" is not declared; did you mean "hello"?`},
		"no code": {change: func(t *testing.T, dir string) {
			write(t, filepath.Join(dir, "krt.yml"), strings.Replace(testManifest, ", src: bin/hello", "", 1))
		}, want: "hello"},
		"config": {options: Options{Config: configvalue.Source{Set: map[string]string{"A": "1"}}},
			want: `config variable "A" is not declared in the manifest; the manifest declares none`},
		"port": {options: Options{Ports: Ports{GRPC: taken.Addr().(*net.TCPAddr).Port}},
			want: "for the gRPC port: address already in use"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := newBundle(t)
			if c.change != nil {
				c.change(t, dir)
			}
			if c.path != "" {
				dir = c.path
			}
			report := newRecorder()
			c.options.Reporter, c.options.StateDir = report, filepath.Join(t.TempDir(), "state")
			err := Run(t.Context(), dir, c.options)
			require.ErrorContains(t, err, c.want)
			require.Empty(t, report.of(EventStarting))
		})
	}
}

func TestRunEndsWhenANodeDoesNotStart(t *testing.T) {
	dir := newBundle(t)
	writeNode(t, dir, "world", "fails", "")
	report := newRecorder()
	err := Run(t.Context(), dir, Options{Reporter: report, StateDir: t.TempDir()})
	var failed *StartError
	require.ErrorAs(t, err, &failed)
	require.Equal(t, "world", failed.Node)
	require.Contains(t, failed.Output, "ImportError: no module named pandas")
	require.Empty(t, report.of(EventReady))
}

func TestInterruptedStart(t *testing.T) {
	dir := newBundle(t)
	writeNode(t, dir, "world", "never-ready", "")
	report := newRecorder()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- Run(ctx, dir, Options{Reporter: report, StateDir: t.TempDir()}) }()
	report.await(t, EventNodeReady, 1)
	cancel()
	require.ErrorIs(t, <-done, context.Canceled)
}

func TestKilledNodeIsNotNoticedByCallers(t *testing.T) {
	r := startRun(t, newBundle(t), Options{})
	disperse := r.crowd(t)
	for i := range 3 {
		killNode(t, r)
		r.await(t, EventNodeReady, 3+i)
	}
	disperse()
	require.NoError(t, r.stop())
}

func TestStopLetsRequestsFinish(t *testing.T) {
	r := startRun(t, newBundle(t), Options{})
	file := filepath.Join(t.TempDir(), "go-on")
	done := make(chan string, 1)
	go func() {
		answer, err := r.call("Hello", "wait "+file)
		done <- fmt.Sprint(answer, err)
	}()
	r.until(t, "the request", func() bool { return strings.Contains(r.output(), "waiting") })
	stopped := make(chan error, 1)
	go func() { stopped <- r.stop() }()
	r.await(t, EventStopping, 1)
	write(t, file, "")
	require.Equal(t, "done<nil>", <-done)
	require.NoError(t, <-stopped)
}

func TestKillDoesNotWait(t *testing.T) {
	kill := make(chan struct{})
	r := startRun(t, newBundle(t), Options{Kill: kill})
	go func() { _, _ = r.call("Hello", "wait /nonexistent") }()
	r.until(t, "the request", func() bool { return strings.Contains(r.output(), "waiting") })
	stopped := make(chan error, 1)
	go func() { stopped <- r.stop() }()
	r.await(t, EventStopping, 1)
	close(kill)
	require.ErrorIs(t, <-stopped, ErrKilled)
}

func TestRunOfAPackedBundle(t *testing.T) {
	dir := newBundle(t)
	path := filepath.Join(t.TempDir(), "test.krt")
	f, err := os.Create(path)
	require.NoError(t, err)
	require.NoError(t, archive.Pack(t.Context(), dir, f, archive.PackOptions{}))
	require.NoError(t, f.Close())
	r := startRun(t, path, Options{})
	r.requireAnswer(t, "Both", "x", "world hello x")
	require.NoError(t, r.stop())
}

func TestRunByItsManifest(t *testing.T) {
	r := startRun(t, filepath.Join(newBundle(t), "krt.yml"), Options{})
	r.requireAnswer(t, "Hello", "x", "hello x")
	require.NoError(t, r.stop())
}

func TestRunLeavesNoGoroutine(t *testing.T) {
	dir := newBundle(t)
	r := startRun(t, dir, Options{})
	writeNode(t, dir, "hello", "greets", "changed")
	r.await(t, EventReloaded, 1)
	r.requireAnswer(t, "Both", "x", "world changed x")
	require.NoError(t, r.stop())
	all := make([]byte, 1<<20)
	ours := regexp.MustCompile(`pkg/(local|entrypoint|store)\.\(`) // methods: the tests have none that wait
	require.Eventually(t, func() bool {
		return !ours.Match(all[:runtime.Stack(all, true)])
	}, 30*time.Second, 10*time.Millisecond, "%s", all)
}
