package client_test

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/queue"
	"krt.dev/kn-krt/test/jetstream"
)

// An event that goes to the next step while consumers are read, that of the next step first, is not missing.
func TestAnEventThatIsPassedOnIsFound(t *testing.T) {
	s := jetstream.Start(t, jetstream.Options(t.TempDir(), -1))
	c := ensured(t, queue.Settings{URL: s.ClientURL()})
	publish(t, c, message(first, "a/0", "x"))
	moving := fetchOne(t, c, first)
	way := newHolding(t, strings.TrimPrefix(s.ClientURL(), "nats://"))
	reader := connect(t, queue.Settings{URL: "nats://" + way.l.Addr().String()})
	eventually(t, func() error { _, err := reader.Bytes(t.Context()); return err }) // it has a connection
	way.hold("$JS.API.CONSUMER.INFO.KRT_team_v1."+first.Consumer(), `"name":"`+second.Consumer()+`"`)
	type result struct {
		status *queue.Status
		err    error
	}
	found := make(chan result, 1)
	go func() {
		status, err := reader.Find(t.Context(), "team", "v1")
		found <- result{status, err}
	}()
	select {
	case <-way.passed:
	case <-time.After(patient):
		t.Fatal("nobody has read the second step's consumer")
	}
	publish(t, c, message(second, "a/1", "x"))
	eventually(t, func() error { return moving.Ack(t.Context()) })
	way.release()
	got := <-found
	if got.err != nil { // a busy machine has held the first one for longer than it may take
		eventually(t, func() (err error) { got.status, err = reader.Find(t.Context(), "team", "v1"); return err })
	}
	require.EqualValues(t, 1, got.status.Events)
	require.Equal(t, []int64{0, 1}, []int64{got.status.Steps[0].Events(), got.status.Steps[1].Events()})
}

// holding is a way to a server that can hold back what the client publishes to a subject until a response has passed,
// and longer.
type holding struct {
	l      net.Listener
	passed chan struct{} // is closed when the response has passed

	mu             sync.Mutex
	subject, until string
	held           []byte
	seen           []byte
	to             net.Conn
}

func newHolding(t *testing.T, server string) *holding {
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	w := &holding{l: l, passed: make(chan struct{})}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := new(net.Dialer).DialContext(context.Background(), "tcp", server)
			if err != nil {
				_ = in.Close()
				continue
			}
			go w.pass(in, out)
			go func() {
				_, _ = io.Copy(in, io.TeeReader(out, w))
				_ = in.Close()
			}()
		}
	}()
	return w
}

// pass passes on what the client sends, line by line: what is held has no data.
func (w *holding) pass(in, out net.Conn) {
	defer func() { _ = out.Close() }()
	lines := bufio.NewReader(in)
	for hold := false; ; {
		line, err := lines.ReadBytes('\n')
		w.mu.Lock()
		hold = hold || w.subject != "" && bytes.HasPrefix(line, []byte("PUB "+w.subject+" "))
		if hold {
			w.held, w.to = append(w.held, line...), out
			hold = !bytes.HasSuffix(w.held, []byte("\r\n\r\n"))
		} else if err == nil {
			_, err = out.Write(line)
		}
		w.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// Write implements io.Writer: it gets what the server sends.
func (w *holding) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.until == "" {
		return len(p), nil
	}
	if w.seen = append(w.seen, p...); bytes.Contains(w.seen, []byte(w.until)) {
		w.until = ""
		close(w.passed)
	}
	return len(p), nil
}

func (w *holding) hold(subject, until string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.subject, w.until = subject, until
}

func (w *holding) release() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.subject = ""
	if w.to != nil { // else it comes only now
		_, _ = w.to.Write(w.held)
	}
}
