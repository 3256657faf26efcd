package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"syscall"

	"krt.dev/kn-krt/pkg/pyrunner"
	"krt.dev/kn-krt/test/process"
)

// The handlers measured: a real message read and answered with.
const (
	asyncNode = `from google.protobuf.wrappers_pb2 import BytesValue

async def handler(ctx, data):
    message = BytesValue()
    data.Unpack(message)
    return message
`
	plainNode = `from google.protobuf.wrappers_pb2 import BytesValue

def handler(ctx, data):
    message = BytesValue()
    data.Unpack(message)
    return message
`
)

// stdlib is an echo on Python's own HTTP server, kept alive, which does
// what the handlers do if it has an argument. It prints the greeting of package
// process and ends with its parent.
const stdlib = `import json, os, sys, threading
from google.protobuf.wrappers_pb2 import BytesValue
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

class Echo(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if decode:
            message = BytesValue()
            message.ParseFromString(body)
            body = message.SerializeToString()
        self.send_response(200)
        self.send_header("Content-Type", "application/protobuf")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass

decode = len(sys.argv) > 1
server = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
print(json.dumps({"control": "", "addresses": ["127.0.0.1:%d" % server.server_port]}), flush=True)
server.serve_forever()
`

// pythonSettings say what a Python role runs.
type pythonSettings struct {
	Python, Dir string
	Decode      bool // for http.server: do what the handlers do
}

// python: the Python runner with one worker, beside a bare net/http echo and
// Python's own HTTP server.
func (b *bench) python(ctx context.Context) (err error) {
	python, err := pyrunner.FindPython(os.Getenv)
	if err != nil {
		b.note("The rows of Python are missing: no Python with protobuf was found.")
		return nil
	}
	dir, err := os.MkdirTemp("", "krt-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	for name, text := range map[string]string{"async/main.py": asyncNode, "plain/main.py": plainNode, "stdlib.py": stdlib} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			return err
		}
	}
	const what = "Python runner, 1 worker, 1 KB, c=1"
	all, err := b.served(ctx, what, 1, "google.protobuf.BytesValue", []part{
		{"bare net/http echo", "http-echo", nil}, {"bare again", "http-echo", nil},
		{"Python's http.server", "python-http", pythonSettings{Python: python, Dir: dir}},
		{"http.server, decoding", "python-http", pythonSettings{Python: python, Dir: dir, Decode: true}},
		{"net/http echo by way of Python", "python-hop", pythonSettings{Python: python}},
		{"async handler", "python-runner", pythonSettings{Python: python, Dir: filepath.Join(dir, "async")}},
		{"plain handler", "python-runner", pythonSettings{Python: python, Dir: filepath.Join(dir, "plain")}},
	})
	if err != nil {
		return err
	}
	b.add(row{what: "net/http echo by way of a Python process, 1 KB, c=1", against: "bare net/http echo", of: &all[4], base: &all[0],
		same: &all[1]})
	for _, m := range all[5:] {
		b.note(fmt.Sprintf("Python runner, %s: µs of CPU a request by process (front, process that forks, worker): %.1f.", m.name,
			m.samples[len(m.samples)/2].parts))
	}
	for i, handler := range []string{", async handler", ", plain handler"} {
		b.add(row{what: what + handler, against: "bare net/http echo", bar: 2.2, of: &all[5+i], base: &all[0], same: &all[1]})
		b.add(row{what: what + handler, against: "Python's stdlib HTTP server", bar: 0.75, of: &all[5+i], base: &all[2], same: &all[1],
			sameBase: &all[0]})
		b.add(row{what: what + handler, against: "stdlib HTTP server that decodes and encodes the message", of: &all[5+i], base: &all[3],
			same: &all[1], sameBase: &all[0]})
	}
	return nil
}

// pythonRunner is the role of a Python node: front, zygote and one worker.
func pythonRunner(ctx context.Context, raw json.RawMessage, _ *http.ServeMux) ([]string, error) {
	var s pythonSettings
	if err := json.Unmarshal(raw, &s); err != nil {
		return nil, err
	}
	listener, err := process.Listen(ctx)
	if err != nil {
		return nil, err
	}
	env := map[string]string{
		"KRT_PYTHON": s.Python, "KRT_WORKERS": "1", "KRT_BASE_PATH": s.Dir, "KRT_HANDLER_PATH": "main.py", "KRT_LOG_LEVEL": "error",
	}
	ready, failed := make(chan struct{}), make(chan error, 1)
	go func() {
		failed <- pyrunner.Run(ctx, pyrunner.Options{
			Getenv: func(key string) string { return env[key] }, Listener: listener, Ready: func() { close(ready) }, Alone: true,
		})
	}()
	select {
	case <-ready:
		return []string{listener.Addr().String()}, nil
	case err := <-failed:
		return nil, fmt.Errorf("the node ended before it was ready: %w", err)
	}
}

// pythonHTTP is the role of Python's own HTTP server: it takes this process'
// place.
func pythonHTTP(_ context.Context, raw json.RawMessage, _ *http.ServeMux) ([]string, error) {
	var s pythonSettings
	if err := json.Unmarshal(raw, &s); err != nil {
		return nil, err
	}
	argv := []string{s.Python, filepath.Join(s.Dir, "stdlib.py")}
	if s.Decode {
		argv = append(argv, "decode")
	}
	err := syscall.Exec(s.Python, argv, os.Environ())
	return nil, fmt.Errorf("cannot start %s: %w", s.Python, err)
}
