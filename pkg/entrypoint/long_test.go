package entrypoint_test

import (
	"context"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/entrypoint"
	"krt.dev/kn-krt/pkg/runner/event"
)

// deadlines is a listener that notes until when its last connection may be read.
type deadlines struct {
	net.Listener
	last atomic.Int64 // Unix time in nanoseconds; 0: without end
}

// Accept implements net.Listener.
func (d *deadlines) Accept() (net.Conn, error) {
	c, err := d.Listener.Accept()
	return &noting{c, d}, err
}

type noting struct {
	net.Conn
	of *deadlines
}

// SetReadDeadline implements net.Conn.
func (n *noting) SetReadDeadline(at time.Time) error {
	n.of.last.Store(0)
	if !at.IsZero() {
		n.of.last.Store(at.UnixNano())
	}
	return n.Conn.SetReadDeadline(at)
}

// net/http goes on reading behind a request, and takes the end of that for the client's.
func TestLongJSONCallOverHTTP1(t *testing.T) {
	f := newFixture(t)
	web := &deadlines{}
	f.listening = func(l *entrypoint.Listeners) {
		web.Listener, l.Web = l.Web, web
	}
	o := quick()
	o.Timeout = 10 * time.Minute
	f.serve(f.version(node(t, "a", func(ctx context.Context, in *event.Event) (int, *event.Event) {
		if last := web.last.Load(); last != 0 && last < in.Deadline.UnixNano() {
			return http.StatusTeapot, nil
		}
		return f.says("a", true)(ctx, in)
	})), o)
	got := f.request(http.MethodPost, f.web+"/test.Entrypoint/Call", `{"text":"hi"}`, "Content-Type", "application/json")
	require.Equal(t, http.StatusOK, got.status, got.body)
	got = f.request(http.MethodPost, f.web+"/workflows/flow", `{"text":"hi"}`, binaryEvent("flow", "application/json")...)
	require.Equal(t, http.StatusOK, got.status, got.body)
}
