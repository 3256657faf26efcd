package web

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/genproto/googleapis/rpc/code"
	spb "google.golang.org/genproto/googleapis/rpc/status"

	"krt.dev/kn-krt/pkg/entrypoint/memory"
)

// Count has the header and the body of each request counted in b, the body before it
// is read, and refuses headers of more than maxHeader bytes.
func Count(b *memory.Budget, maxHeader int, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := memory.HeaderBytes(r.Header)
		if n > maxHeader {
			RefuseAs(w, r, http.StatusRequestHeaderFieldsTooLarge, &spb.Status{
				Code: int32(code.Code_RESOURCE_EXHAUSTED), Message: fmt.Sprintf("the header has %d bytes, the limit is %d", n, maxHeader),
			})
			return
		}
		if n < memory.SmallHeader {
			n = 0
		}
		if r.Body == nil || r.Body == http.NoBody {
			countHeader(b, int64(n), next, w, r)
			return
		}
		control := http.NewResponseController(w)
		in := &memory.Upload{Abort: func(error) { _ = control.SetReadDeadline(time.Unix(1, 0)) }}
		if err := b.Begin(in, int64(n)); err != nil {
			closeAfter(w)
			Refuse(w, r, memory.Refusal(err))
			return
		}
		defer in.End()
		r.Body = &countedBody{Closer: r.Body, Reader: memory.Reader{From: r.Body, Upload: in}}
		next.ServeHTTP(w, r)
	})
}

// countHeader serves a request without a body, whose header has n bytes to be counted.
func countHeader(b *memory.Budget, n int64, next http.Handler, w http.ResponseWriter, r *http.Request) {
	if n > 0 {
		if !b.Reserve(n) {
			Refuse(w, r, memory.Refusal(memory.ErrFull))
			return
		}
		defer b.Release(n)
	}
	next.ServeHTTP(w, r)
}

// countedBody is the body of a request that is counted in the budget until the
// request ends.
type countedBody struct {
	io.Closer
	memory.Reader
}

// counting returns a reader of what from makes of a message that has arrived, which
// is counted too.
func counting(message *memory.Upload, from io.Reader) io.Reader {
	return &countedBody{Reader: memory.Reader{From: from, Upload: message}}
}

// Read implements io.Reader.
func (b *countedBody) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	switch {
	case err == io.EOF: //nolint:errorlint // io.Reader's own
		if !b.Upload.Arrived() {
			err = BodyError(b.Upload.Failed(memory.ErrFull))
		}
	case err != nil:
		err = BodyError(b.Upload.Failed(err))
	}
	return n, err
}

// ReadAhead reads the body of a request that is counted to its end. The next reader reads it again
// from its beginning. It reports false if the body has more than limit bytes or cannot be read,
// which the next reader will find out too.
func ReadAhead(r *http.Request, limit int64) ([]byte, bool) {
	body, ok := r.Body.(*countedBody)
	if !ok { // it has none
		return nil, r.Body == nil || r.Body == http.NoBody
	}
	if r.ContentLength > limit {
		return nil, false
	}
	data, err := io.ReadAll(io.LimitReader(&body.Reader, limit+1))
	body.Again(data, err)
	return data, err == nil && int64(len(data)) <= limit && body.Upload.Arrived()
}

// MaxBody is the most bytes that the body of a call may have, and MaxEvent that of an event.
func (d *Decoding) MaxBody() int64 { return d.limit + envelopeBytes }

// MaxEvent is what MaxBody is for events.
func (d *Decoding) MaxEvent() int64 { return 2*d.limit + structuredOverhead }

// BodyError gives the budget's errors their code in Connect, for those who read a
// body.
func BodyError(err error) error {
	if err == nil {
		return nil
	}
	if s := memory.Refusal(err); s != nil {
		return connect.NewError(connect.Code(s.GetCode()), err)
	}
	return err
}

// closeAfter has net/http close an HTTP/1.1 connection once the response is
// written, without waiting for the rest of the body, and only after a while: closed
// at once, a client still sending would find it reset instead of the response.
// Only the reader of bodies with a limit can ask for that.
func closeAfter(w http.ResponseWriter) {
	_, _ = http.MaxBytesReader(w, io.NopCloser(strings.NewReader("x")), 0).Read(make([]byte, 1))
}

// smallUnread is up to which size net/http may read a body that is not needed.
const smallUnread = 16 << 10

// LeaveUnread prepares the refusal of a request whose body of length bytes, negative
// if that is not known, has not been read. net/http reads a small one first, so that
// the connection can be used again.
func LeaveUnread(w http.ResponseWriter, length int64) {
	if length < 0 || length > smallUnread {
		closeAfter(w)
	}
}

// Decoding limits what the decoding of bodies takes. One body is decoded at a time
// for each processor: what it becomes meanwhile may be many times its size, and is
// counted only then.
type Decoding struct {
	limit int64        // bytes of a message
	pool  *memory.Pool // for bodies, which are counted as they are read
	slots chan struct{}
}

// NewDecoding returns the limits for messages of up to maxMessageBytes bytes.
func NewDecoding(maxMessageBytes int) *Decoding {
	return &Decoding{int64(maxMessageBytes), memory.NewUncountedPool(), make(chan struct{}, runtime.GOMAXPROCS(0))}
}

// Turn returns a turn that has not been taken.
func (d *Decoding) Turn() Turn { return Turn{slots: d.slots} }

// Turn is a body's turn to be decoded.
type Turn struct {
	slots chan struct{}
	taken bool
}

// smallBody is the size up to which decoding a body needs no turn.
const smallBody = 64 << 10

// take waits for the turn of a body of n bytes, compressed or not, unless it has
// been taken before.
func (t *Turn) take(ctx context.Context, n int, compressed bool) error {
	if t.taken || n <= smallBody && !compressed {
		return nil
	}
	select {
	case t.slots <- struct{}{}:
		t.taken = true
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Leave ends the turn, if it has been taken.
func (t *Turn) Leave() {
	if t.taken {
		t.taken = false
		<-t.slots
	}
}
