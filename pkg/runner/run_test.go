package runner_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptrace"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"krt.dev/kn-krt/pkg/runner"
	"krt.dev/kn-krt/pkg/runner/event"
)

// TestMain is also the node of the tests that need a process of their own.
func TestMain(m *testing.M) {
	switch os.Getenv("RUNNER_TEST_NODE") {
	case "":
		os.Exit(m.Run())
	case "bench":
		benchServers()
	default:
		runner.Start(func(ctx *runner.HandlerContext) {
			if os.Getenv("RUNNER_TEST_NODE") == "panic" {
				panic("no model")
			}
		}, echo)
	}
}

func get(t *testing.T, url string) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	a, err := do(req)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestWhatIsNoEventIsRefused(t *testing.T) {
	r := start(t, map[string]string{"KRT_MAX_MESSAGE_BYTES": "10"}, nil, echo)
	for name, c := range map[string]struct {
		method, path string
		change       func(http.Header)
		body         string
		status       int
		text         string
	}{
		"other path":      {"POST", "/x", nil, "", http.StatusNotFound, "POST to /"},
		"other method":    {"GET", "/", nil, "", http.StatusMethodNotAllowed, "by POST"},
		"no event":        {"POST", "/", func(h http.Header) { h.Del("Ce-Specversion") }, "", http.StatusBadRequest, "no CloudEvent"},
		"no id":           {"POST", "/", func(h http.Header) { h.Del("Ce-Id") }, "", http.StatusBadRequest, "ce-id: missing"},
		"no message name": {"POST", "/", func(h http.Header) { h.Del("Ce-Dataschema") }, "", http.StatusBadRequest, "ce-dataschema: missing"},
		"no content type": {"POST", "/", func(h http.Header) { h.Del("Content-Type") }, "",
			http.StatusUnsupportedMediaType, "application/protobuf"},
		"JSON": {"POST", "/", func(h http.Header) { h.Set("Content-Type", "application/json") }, "",
			http.StatusUnsupportedMediaType, "application/protobuf"},
		"parameter": {"POST", "/", func(h http.Header) { h.Set("Content-Type", "application/protobuf; v=1") }, "", http.StatusOK, ""},
		"too large": {"POST", "/", nil, "\n\x0912345678x", http.StatusRequestEntityTooLarge, "the limit is 10 (max-message-bytes)"},
		"just not":  {"POST", "/", nil, "\n\x0812345678", http.StatusOK, ""},
		"liveness":  {"GET", "/healthz", nil, "", http.StatusOK, "alive"},
		"readiness": {"GET", "/readyz", nil, "", http.StatusOK, "ready"},
	} {
		t.Run(name, func(t *testing.T) {
			req, err := http.NewRequest(c.method, r.url+c.path, strings.NewReader(c.body))
			if err != nil {
				t.Fatal(err)
			}
			message("").WriteHeader(req.Header)
			if c.change != nil {
				c.change(req.Header)
			}
			a, err := do(req)
			if err != nil {
				t.Fatal(err)
			}
			equal(t, "status", a.status, c.status)
			contains(t, "text", a.text, c.text)
			equal(t, "has content length", a.header.Get("Content-Length") != "", true)
		})
	}
}

func TestHeadersAreBounded(t *testing.T) {
	r := start(t, nil, nil, echo)
	req, err := http.NewRequest(http.MethodPost, r.url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Long", strings.Repeat("x", 80<<10))
	a, err := do(req)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "status", a.status, http.StatusRequestHeaderFieldsTooLarge)
}

func TestNotReadyBeforeInitReturns(t *testing.T) {
	listener := listen(t)
	url := "http://" + listener.Addr().String()
	initialise, ready, result := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		result <- runner.Run(ctx, runner.Options{
			Getenv: func(string) string { return "" }, Listener: listener,
			Logger: slog.New(slog.DiscardHandler), Ready: func() { close(ready) },
		}, func(*runner.HandlerContext) { <-initialise }, echo)
	}()
	equal(t, "liveness", get(t, url+"/healthz").status, http.StatusOK)
	unready := get(t, url+"/readyz")
	equal(t, "readiness", unready.status, http.StatusServiceUnavailable)
	equal(t, "who it is", unready.header.Get("Krt-Source"), "/krt/local//node")
	a, err := post(t.Context(), url, message(""))
	equal(t, "error", err, nil)
	equal(t, "event", a.status, http.StatusServiceUnavailable)
	contains(t, "text", a.text, "node 'node' is not ready")
	close(initialise)
	<-ready
	equal(t, "readiness", get(t, url+"/readyz").status, http.StatusOK)
	cancel()
	equal(t, "result", <-result, nil)
}

func TestStopLetsCallsFinish(t *testing.T) {
	running, finish := make(chan struct{}), make(chan struct{})
	r := start(t, nil, nil, func(*runner.HandlerContext, *anypb.Any) (proto.Message, error) {
		close(running)
		<-finish
		return value("finished"), nil
	})
	answered := make(chan answer, 1)
	go func() {
		a, err := post(context.Background(), r.url, message(""))
		if err != nil {
			t.Error(err)
		}
		answered <- a
	}()
	<-running
	stopped := make(chan error, 1)
	go func() { stopped <- r.stop() }()
	// The listener is closed before the calls in flight are waited for.
	for {
		conn, err := net.Dial("tcp", strings.TrimPrefix(r.url, "http://"))
		if err != nil {
			break
		}
		_ = conn.Close()
	}
	close(finish)
	a := <-answered
	equal(t, "status", a.status, http.StatusOK)
	equal(t, "text", stringOf(t, a.event), "finished")
	equal(t, "result", <-stopped, nil)
}

func TestStopCancelsCallsThatTakeTooLong(t *testing.T) {
	listener := listen(t)
	ready, running, result := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	ctx, cancel := context.WithCancel(t.Context())
	cancelled := make(chan struct{})
	go func() {
		result <- runner.Run(ctx, runner.Options{
			Getenv: func(string) string { return "" }, Listener: listener, ShutdownTimeout: time.Millisecond,
			Logger: slog.New(slog.DiscardHandler), Ready: func() { close(ready) },
		}, nil, func(ctx *runner.HandlerContext, _ *anypb.Any) (proto.Message, error) {
			close(running)
			<-ctx.Context().Done()
			close(cancelled)
			return nil, ctx.Context().Err()
		})
	}()
	<-ready
	go func() { _, _ = post(context.Background(), "http://"+listener.Addr().String(), message("")) }()
	<-running
	cancel()
	equal(t, "result", <-result, nil)
	<-cancelled
}

func TestWhatKeepsANodeFromStarting(t *testing.T) {
	for name, c := range map[string]struct {
		env     map[string]string
		init    runner.HandlerInit
		handler runner.Handler
		want    []string
	}{
		"no handler": {nil, nil, nil, []string{"cannot start the node: the handler is nil"}},
		"init panics": {nil, func(*runner.HandlerContext) { panic("no model") }, echo,
			[]string{`cannot run node "node": init panicked: no model`}},
		"wrong settings": {map[string]string{
			"PORT": "http", "KRT_REPLY_URL": "10.0.0.1:80/x", "KRT_STORE": "ftp://x", "KRT_MAX_MESSAGE_BYTES": "-1",
			"KRT_LISTEN_FD": "1", "KRT_TIMEOUT": "5", "KRT_BACKGROUND_TIMEOUT": "-1s",
		}, nil, echo, []string{
			`PORT: "http" is not a whole number from 0 to 65535`, "KRT_REPLY_URL: ", `KRT_STORE: "ftp://x" is not of the form`,
			`KRT_MAX_MESSAGE_BYTES: "-1" is no`, `KRT_LISTEN_FD: "1" is no`,
			`KRT_TIMEOUT: "5" is not a positive duration`, `KRT_BACKGROUND_TIMEOUT: "-1s" is not a`,
		}},
		"no address": {map[string]string{"KRT_REPLY_URL": "https://x"}, nil, echo,
			[]string{`KRT_REPLY_URL: "https://x" is not of the form http://host:port`}},
	} {
		t.Run(name, func(t *testing.T) {
			err := runner.Run(t.Context(), runner.Options{
				Getenv: func(name string) string { return c.env[name] }, Listener: listen(t), Logger: slog.New(slog.DiscardHandler),
			}, c.init, c.handler)
			if err == nil {
				t.Fatal("it started")
			}
			for _, want := range c.want {
				contains(t, "error", err.Error(), want)
			}
		})
	}
}

func TestLogSettings(t *testing.T) {
	for env, want := range map[string]string{
		"KRT_LOG":       `KRT_LOG: "xml" is not one of json, plain, text`,
		"KRT_LOG_LEVEL": `KRT_LOG_LEVEL: "xml" is not one of debug, info, warn, error`,
	} {
		err := runner.Run(t.Context(), runner.Options{Listener: listen(t), Getenv: func(name string) string {
			if name == env {
				return "xml"
			}
			return ""
		}}, nil, echo)
		if err == nil {
			t.Fatal("it started")
		}
		contains(t, "error", err.Error(), want)
	}
}

// command is a node in a process of its own, which inherits listener.
func command(t *testing.T, listener *net.TCPListener, env ...string) (*exec.Cmd, *bytes.Buffer) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), exe)
	log := &bytes.Buffer{}
	cmd.Env = append(os.Environ(), append([]string{"KRT_LOG=json", "KRT_NODE_NAME=model", "KRT_LISTEN_FD=3"}, env...)...)
	cmd.Stderr, cmd.Stdout = log, io.Discard
	file, err := listener.File()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = file.Close() })
	cmd.ExtraFiles = []*os.File{file}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, log
}

func TestStartServesAnInheritedSocketUntilSIGTERM(t *testing.T) {
	listener := listen(t).(*net.TCPListener)
	defer func() { _ = listener.Close() }()
	cmd, log := command(t, listener, "RUNNER_TEST_NODE=echo")
	var a answer
	for a.status != http.StatusOK { // 503 until init has returned; the socket takes connections at once
		var err error
		if a, err = post(t.Context(), "http://"+listener.Addr().String(), message("hi")); err != nil {
			t.Fatal(err)
		}
	}
	equal(t, "text", stringOf(t, a.event), "hi")
	equal(t, "source", a.event.Source, event.Source("local", "", "model"))
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	equal(t, "exit", cmd.Wait(), nil)
	var line struct{ Msg, Node, Level string }
	if err := json.Unmarshal([]byte(strings.SplitN(log.String(), "\n", 2)[0]), &line); err != nil {
		t.Fatalf("the log is no JSON: %v: %s", err, log)
	}
	equal(t, "line", line, struct{ Msg, Node, Level string }{"ready", "model", "INFO"})
}

func TestStartFails(t *testing.T) {
	listener := listen(t).(*net.TCPListener)
	defer func() { _ = listener.Close() }()
	cmd, log := command(t, listener, "RUNNER_TEST_NODE=panic")
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) {
		t.Fatal(err)
	}
	equal(t, "exit", exit.ExitCode(), 1)
	contains(t, "log", log.String(), `cannot run node "model": init panicked: no model`)
}

func TestPortOfTheEnvironment(t *testing.T) {
	taken := listen(t)
	defer func() { _ = taken.Close() }()
	port := strconv.Itoa(taken.Addr().(*net.TCPAddr).Port)
	err := runner.Run(t.Context(), runner.Options{
		Getenv: func(name string) string { return map[string]string{"PORT": port}[name] }, Logger: slog.New(slog.DiscardHandler),
	}, nil, echo)
	if err == nil {
		t.Fatal("it listens on a port that is taken")
	}
	contains(t, "error", err.Error(), ":"+port)
}

func TestPath(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct{ name, base, want string }{
		{"base path", dir, filepath.Join(dir, "models/x")},
		{"none", "", mustAbs(t, "models/x")},
	} {
		t.Run(c.name, func(t *testing.T) {
			var path string
			start(t, map[string]string{"KRT_BASE_PATH": c.base}, func(ctx *runner.HandlerContext) { path = ctx.Path("models/x") }, echo)
			equal(t, "path", path, c.want)
		})
	}
}

func mustAbs(t *testing.T, path string) string {
	t.Helper()
	abs, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return abs
}

// An event that comes before init has returned waits for that, as long as its deadline lets it, and no longer than
// the node.
func TestAnEventWaitsForInit(t *testing.T) {
	for _, name := range []string{"returns", "stopped"} {
		t.Run(name, func(t *testing.T) {
			initialise, result := make(chan struct{}), make(chan error, 1)
			listener := listen(t)
			url := "http://" + listener.Addr().String()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			go func() {
				result <- runner.Run(ctx, runner.Options{
					Getenv: func(string) string { return "" }, Listener: listener, Logger: slog.New(slog.DiscardHandler),
				}, func(*runner.HandlerContext) { <-initialise }, echo)
			}()
			late := message("")
			late.Deadline = time.Now().Add(time.Second)
			a, err := post(t.Context(), url, late)
			equal(t, "error", err, nil)
			equal(t, "too late", a.status, http.StatusServiceUnavailable)
			contains(t, "text", a.text, "node 'node' is not ready: init has not returned")
			in := message("")
			in.Deadline = time.Now().Add(time.Minute)
			written, answered := make(chan struct{}), make(chan answer, 1)
			traced := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
				WroteRequest: func(httptrace.WroteRequestInfo) { close(written) },
			})
			go func() {
				a, _ := post(traced, url, in)
				answered <- a
			}()
			<-written
			if name == "returns" {
				close(initialise)
				equal(t, "status", (<-answered).status, http.StatusOK)
			}
			cancel()
			equal(t, "result", <-result, nil)
			if name == "stopped" {
				close(initialise)
				if got := (<-answered).status; got == http.StatusOK {
					t.Error("the event has been processed by a node that was never ready")
				}
			}
		})
	}
}
