package bound

import (
	"context"
	"net"
	"net/http"
	"strconv"
	"time"
)

const (
	// chunk is how much of a response has to be received in each stretch of patience.
	chunk    = 64 << 10
	patience = 20 * time.Second
	// tryAgain is after how many seconds a browser may ask again that was refused.
	tryAgain = "10"
)

// Writer is a response that ends when its reader has not taken a part of it for 20 seconds. What is
// written at once is counted in a share of memory while it is sent, and refused if there is not enough
// left: small writes, of which a response has one at a time, are not counted.
type Writer struct {
	http.ResponseWriter

	take    func(n int) (leave func(), err error)
	control *http.ResponseController
	status  int // that is not written yet; 0 for none
	begun   bool
}

// NewWriter makes a Writer that counts with take. End must be called after its handler.
func NewWriter(w http.ResponseWriter, take func(n int) (leave func(), err error)) *Writer {
	b := &Writer{ResponseWriter: w, take: take, control: http.NewResponseController(w)}
	b.deadline(time.Time{}) // that of the connection's last response may be over
	return b
}

// SetDeadline bounds the time for what is written next, for a handler that is not served with a
// [Writer] and writes little.
func SetDeadline(w http.ResponseWriter) {
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(patience)) // a test's response has none
}

func (b *Writer) deadline(at time.Time) { _ = b.control.SetWriteDeadline(at) }

// WriteHeader implements [http.ResponseWriter]. The header is sent with the first byte.
func (b *Writer) WriteHeader(status int) {
	if !b.begun && b.status == 0 {
		b.status = status
	}
}

func (b *Writer) begin() {
	if !b.begun && b.status != 0 {
		b.ResponseWriter.WriteHeader(b.status)
	}
	b.begun = true
}

// Write implements [io.Writer].
func (b *Writer) Write(p []byte) (n int, err error) {
	if len(p) > chunk {
		leave, err := b.take(len(p))
		if err != nil {
			b.refuse()
			return 0, err
		}
		defer leave()
	}
	b.begin()
	defer b.deadline(time.Time{}) // what is between two writes may take its time
	for first := true; first || len(p) > 0; first = false {
		b.deadline(time.Now().Add(patience))
		size, err := b.ResponseWriter.Write(p[:min(len(p), chunk)])
		n += size
		if err != nil {
			return n, err
		}
		p = p[size:]
	}
	return n, nil
}

// refuse responds that there is no room, if nothing has been sent yet.
func (b *Writer) refuse() {
	if b.begun {
		return
	}
	const text = "The dashboard is sending as much as it can hold. Try again in a moment.\n"
	h := b.Header()
	h.Del("Content-Disposition")
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(len(text)))
	h.Set("Retry-After", tryAgain)
	b.status = http.StatusServiceUnavailable
	b.begin()
	b.deadline(time.Now().Add(patience))
	_, _ = b.ResponseWriter.Write([]byte(text))
	_ = b.control.Flush()
}

// FlushError is for [http.ResponseController].
func (b *Writer) FlushError() error {
	b.begin()
	b.deadline(time.Now().Add(patience))
	defer b.deadline(time.Time{})
	return b.control.Flush()
}

// Unwrap is for [http.ResponseController].
func (b *Writer) Unwrap() http.ResponseWriter { return b.ResponseWriter }

// End bounds the time for what the server has still to send.
func (b *Writer) End() {
	b.begin()
	b.deadline(time.Now().Add(patience))
}

// Connection lets the system hold less of what is sent on a connection, for [http.Server.ConnContext].
// It holds megabytes otherwise, and takes more only once a third of them has left: a reader of a few
// KiB a second, who takes a part of a response all the time, would seem not to take any.
func Connection(ctx context.Context, c net.Conn) context.Context {
	for { // of TLS, and of who counts connections
		wraps, ok := c.(interface{ NetConn() net.Conn })
		if !ok {
			break
		}
		c = wraps.NetConn()
	}
	if c, ok := c.(*net.TCPConn); ok {
		_ = c.SetWriteBuffer(2 * chunk) // without it, only the slowest readers are lost
	}
	return ctx
}
