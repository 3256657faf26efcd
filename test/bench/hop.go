package main

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"syscall"

	"krt.dev/kn-krt/pkg/runner/event"
)

// hopEcho gives back what it is sent on descriptor 3, until that ends.
const hopEcho = `import socket
s = socket.socket(fileno=3)
while data := s.recv(65536):
    s.sendall(data)
`

// pythonHop is the role of a bare net/http echo that has a Python process give
// the body back, and does nothing else: what no runner with a Go front can go
// below.
func pythonHop(ctx context.Context, raw json.RawMessage, _ *http.ServeMux) ([]string, error) {
	var s pythonSettings
	if err := json.Unmarshal(raw, &s); err != nil {
		return nil, err
	}
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	own, child := os.NewFile(uintptr(fds[0]), "front"), os.NewFile(uintptr(fds[1]), "python")
	defer func() { _, _ = own.Close(), child.Close() }()
	conn, err := net.FileConn(own)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, s.Python, "-c", hopEcho)
	cmd.ExtraFiles, cmd.Stderr = []*os.File{child}, os.Stderr
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	var one sync.Mutex
	return serve(ctx, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := make([]byte, r.ContentLength)
		_, err := io.ReadFull(r.Body, body)
		one.Lock()
		defer one.Unlock()
		if err == nil {
			_, err = conn.Write(body)
		}
		if err == nil {
			_, err = io.ReadFull(conn, body)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		w.Header().Set("Content-Type", event.ContentType)
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		_, _ = w.Write(body)
	}))
}
