package runner_test

import (
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"krt.dev/kn-krt/pkg/runner"
)

// held starts a node with so many calls that do not end until free is called.
func held(t *testing.T, o runner.Options, texts ...string) (r *running, free func()) {
	t.Helper()
	open, runs := make(chan struct{}), make(chan struct{}, len(texts)+10)
	r = startWith(t, o, nil, nil, func(*runner.HandlerContext, *anypb.Any) (proto.Message, error) {
		runs <- struct{}{}
		<-open
		return value("done"), nil
	})
	ended := make(chan int, len(texts))
	for _, text := range texts {
		go func() { ended <- r.post(t, message(text)).status }()
		<-runs
	}
	return r, func() {
		close(open)
		for range texts {
			equal(t, "status", <-ended, http.StatusOK)
		}
	}
}

func TestSoManyCallsAreHeld(t *testing.T) {
	r, free := held(t, runner.Options{MaxCalls: 2}, "a", "b")
	for range 5 {
		a := r.post(t, message("c"))
		equal(t, "status", a.status, http.StatusServiceUnavailable)
		equal(t, "text", a.text, "busy: 2 calls are waiting or running, the most the node accepts")
	}
	free()
	equal(t, "status", r.post(t, message("c")).status, http.StatusOK)
	equal(t, "log lines", strings.Count(r.log.String(), "calls refused"), 1)
}

func TestSoManyBytesAreHeld(t *testing.T) {
	r, free := held(t, runner.Options{MaxBytes: 1000}, strings.Repeat("a", 2000)) // one always has room
	a := r.post(t, message("b"))
	equal(t, "status", a.status, http.StatusServiceUnavailable)
	contains(t, "text", a.text, "of at most 1000 bytes")
	free()
	equal(t, "status", r.post(t, message("b")).status, http.StatusOK)
}

// What is refused is not read: the answer comes before the data does.
func TestRefusedBeforeTheDataIsRead(t *testing.T) {
	for name, length := range map[string]string{"said": "Content-Length: 1000000", "not said": "Transfer-Encoding: chunked"} {
		t.Run(name, func(t *testing.T) {
			r, free := held(t, runner.Options{MaxBytes: 1 << 20}, strings.Repeat("a", 1<<20))
			defer free()
			conn, err := net.Dial("tcp", strings.TrimPrefix(r.url, "http://"))
			equal(t, "error", err, nil)
			defer func() { _ = conn.Close() }()
			_, err = io.WriteString(conn, "POST / HTTP/1.1\r\nHost: x\r\n"+length+"\r\n\r\n")
			equal(t, "error", err, nil)
			line := make([]byte, len("HTTP/1.1 503"))
			_, err = io.ReadFull(conn, line)
			equal(t, "error", err, nil)
			equal(t, "status", string(line), "HTTP/1.1 503")
		})
	}
}
