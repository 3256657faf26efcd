package conformance_test

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/pyrunner"
	"krt.dev/kn-krt/pkg/runner"
	"krt.dev/kn-krt/pkg/runner/event"
	"krt.dev/kn-krt/pkg/schema"
	"krt.dev/kn-krt/pkg/schema/gen"
	"krt.dev/kn-krt/test/conformance"
	"krt.dev/kn-krt/test/conformance/node"
)

// manyWorkers is how many workers the nodes have that cases hold, where they have
// several: cases hold one and ask another.
const manyWorkers = 4

// isHeld says whether cases hold calls at the node.
func isHeld(name string) bool { return name == "n1" || name == "n2" || name == "n3" }

// mortal is the node that cases kill: the Go one has a process of its own.
const mortal = "n2"

// settingDir tells a node where its records are.
const settingDir = "CONFORMANCE_DIR"

// settingChild makes the test's binary a Go node.
const settingChild = "CONFORMANCE_NODE"

func TestMain(m *testing.M) {
	if os.Getenv(settingChild) != "" {
		runner.Start(nil, node.Handler(os.Getenv(settingDir)))
		return
	}
	os.Exit(m.Run())
}

// findPython looks once: each look starts interpreters.
var findPython = sync.OnceValues(func() (string, error) { return pyrunner.FindPython(os.Getenv) })

// startNodes starts the variant's nodes.
func (l *local) startNodes() {
	base := l.writeBundle()
	l.nodes = map[string]string{"down": nowhere(l.t), "foreign": l.foreign()}
	count := 3
	if l.variant == conformance.Standard {
		count = 12
		l.nodes["broken"] = l.broken(base)
	}
	ready := make(chan error, count)
	for i := range count {
		name := fmt.Sprint("n", i+1)
		env := l.environment(base, name)
		listener := listen(l.t)
		l.nodes[name] = "http://" + listener.Addr().String()
		switch {
		case l.language == conformance.Python:
			l.inProcess(ready, func(ctx context.Context, up func()) error {
				return pyrunner.Run(ctx, pyrunner.Options{
					Getenv: get(env), Environ: append(os.Environ(), settingDir+"="+l.dir), Output: l.log, Listener: listener, Ready: up,
				})
			})
		case name == mortal:
			l.child(env, listener)
			ready <- nil // the socket takes connections already
		default:
			l.inProcess(ready, func(ctx context.Context, up func()) error {
				return runner.Run(ctx, runner.Options{
					Getenv: get(env), Listener: listener, Ready: up,
					Logger: slog.New(slog.NewTextHandler(l.log, nil)),
				}, nil, node.Handler(l.dir))
			})
		}
	}
	for range count {
		require.NoError(l.t, <-ready, "a node did not start")
	}
}

// environment is a node's, as KRT V1 has it.
func (l *local) environment(base, name string) map[string]string {
	workers := 1
	if isHeld(name) {
		workers = l.workers
	}
	env := map[string]string{
		"KRT_VERSION": string(l.variant), "KRT_VERSION_ID": string(l.variant), "KRT_RUNTIME_ID": runtimeName,
		"KRT_NODE_NAME": name, "KRT_NODE_ID": string(l.variant) + "-" + name, "KRT_WORKFLOW_NAME": "",
		"KRT_BASE_PATH": base, "KRT_HANDLER_PATH": "src/node/main.py", "KRT_REPLY_URL": l.reply,
		"KRT_WORKERS": strconv.Itoa(workers), "PATH": os.Getenv("PATH"), settingDir: l.dir,
	}
	if l.language == conformance.Python {
		python, err := findPython()
		require.NoError(l.t, err)
		env["KRT_PYTHON"] = python
	}
	return env
}

func get(env map[string]string) func(string) string {
	return func(name string) string { return env[name] }
}

// writeBundle writes the Python node's bundle.
func (l *local) writeBundle() string {
	base := l.t.TempDir()
	s, err := schema.Compile(l.t.Context(), node.Bundle, "conformance.proto", schema.Options{})
	require.NoError(l.t, err)
	modules, err := gen.Python(s)
	require.NoError(l.t, err)
	main, err := node.Bundle.ReadFile("main.py")
	require.NoError(l.t, err)
	files := map[string][]byte{"src/node/main.py": main, "src/broken/main.py": []byte("answer = 42\n")}
	for _, m := range modules {
		files["src/node/"+m.Path] = m.Content
	}
	for name, content := range files {
		path := filepath.Join(base, name)
		require.NoError(l.t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(l.t, os.WriteFile(path, content, 0o644))
	}
	return base
}

// inProcess runs a node until the test ends. ready gets nil once it is up, or
// what kept it from starting.
func (l *local) inProcess(ready chan<- error, run func(ctx context.Context, up func()) error) {
	ctx, cancel := context.WithCancel(context.Background())
	over := make(chan struct{})
	go func() {
		defer close(over)
		up := sync.OnceFunc(func() { ready <- nil })
		if err := run(ctx, up); err != nil {
			ready <- err
		}
	}()
	l.t.Cleanup(func() {
		cancel()
		<-over
	})
}

// child runs a Go node as a process of its own, and another each time it dies.
// All of them inherit the one socket.
func (l *local) child(env map[string]string, listener net.Listener) {
	socket, err := listener.(*net.TCPListener).File()
	require.NoError(l.t, err)
	require.NoError(l.t, listener.Close())
	ctx, cancel := context.WithCancel(context.Background())
	over := make(chan struct{})
	go func() {
		defer close(over)
		defer func() { _ = socket.Close() }()
		for ctx.Err() == nil {
			cmd := exec.CommandContext(ctx, os.Args[0])
			cmd.Env = append(os.Environ(), settingChild+"=1", "KRT_LISTEN_FD=3")
			for name, value := range env {
				cmd.Env = append(cmd.Env, name+"="+value)
			}
			cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = l.log, l.log, []*os.File{socket}
			if err := cmd.Run(); err != nil && ctx.Err() == nil {
				_, _ = fmt.Fprintf(l.log, "node %s: %v: starting another\n", env["KRT_NODE_NAME"], err)
			}
		}
	}()
	l.t.Cleanup(func() {
		cancel()
		<-over
	})
}

// foreign starts the node that is no runner.
func (l *local) foreign() string {
	return serve(l.t, listen(l.t), &node.Foreign{
		Records: node.Records{Dir: l.dir, Node: "foreign"},
		Source:  event.Source(runtimeName, string(l.variant), "foreign"),
	})
}

// serve serves h until the test ends, and what it still works on too.
func serve(t *testing.T, listener net.Listener, h http.Handler) (url string) {
	s := &httptest.Server{Listener: listener, Config: &http.Server{Handler: h, ReadHeaderTimeout: time.Minute}}
	s.Start()
	t.Cleanup(func() {
		s.CloseClientConnections()
		s.Close()
	})
	return s.URL
}

// broken starts a node whose code has no handler, and returns an address as that
// of a node which has given up.
func (l *local) broken(base string) string {
	env := l.environment(base, "broken")
	env["KRT_HANDLER_PATH"] = "src/broken/main.py"
	listener := listen(l.t)
	defer func() { _ = listener.Close() }() // an SDK that refuses before it listens leaves it open
	var err error
	if l.language == conformance.Python {
		err = pyrunner.Run(l.t.Context(), pyrunner.Options{Getenv: get(env), Output: l.log, Listener: listener})
		require.ErrorContains(l.t, err, "src/broken/main.py has no `handler`")
	} else {
		err = runner.Run(l.t.Context(), runner.Options{Getenv: get(env), Listener: listener}, nil, nil)
		require.ErrorContains(l.t, err, "the handler is nil")
	}
	return nowhere(l.t)
}

// nowhere is an address at which nobody listens, and nobody will: it is taken.
func nowhere(t *testing.T) string {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	require.NoError(t, err)
	t.Cleanup(func() { _ = syscall.Close(fd) })
	require.NoError(t, syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	bound, err := syscall.Getsockname(fd)
	require.NoError(t, err)
	return fmt.Sprintf("http://127.0.0.1:%d", bound.(*syscall.SockaddrInet4).Port)
}

// unsteady is a reply port that breaks; see conformance.Unsteady.
func unsteady(t *testing.T, listener net.Listener, reply string) string {
	address, err := url.Parse(reply)
	require.NoError(t, err)
	to := httputil.NewSingleHostReverseProxy(address)
	to.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	var mu sync.Mutex
	attempts := map[string]int{}
	return serve(t, listener, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		key := r.URL.Path + " " + r.Header.Get("Ce-Source") + " " + r.Header.Get("Ce-Id")
		mu.Lock()
		attempts[key]++
		attempt := attempts[key]
		mu.Unlock()
		switch attempt {
		case 1:
			http.Error(w, "not now", http.StatusServiceUnavailable)
		case 2:
			to.ServeHTTP(httptest.NewRecorder(), r)
			panic(http.ErrAbortHandler)
		default:
			to.ServeHTTP(w, r)
		}
	}))
}
