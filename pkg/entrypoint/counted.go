package entrypoint

import (
	"fmt"
	"io"
	"net/http"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/genproto/googleapis/rpc/code"
	spb "google.golang.org/genproto/googleapis/rpc/status"
)

// counted has the body of each request counted before it is read, and refuses
// headers that are too long.
func (e *Entrypoint) counted(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := headerBytes(r.Header)
		if n > maxHeaderBytes {
			writeStatus(w, http.StatusRequestHeaderFieldsTooLarge, &spb.Status{
				Code: int32(code.Code_RESOURCE_EXHAUSTED), Message: fmt.Sprintf("the header has %d bytes, the limit is %d", n, maxHeaderBytes),
			})
			return
		}
		if r.Body == nil || r.Body == http.NoBody {
			next.ServeHTTP(w, r)
			return
		}
		control := http.NewResponseController(w)
		in := &reading{abort: func(error) { _ = control.SetReadDeadline(time.Unix(1, 0)) }}
		if n < smallHeader {
			n = 0
		}
		if err := e.budget.begin(in, int64(n)); err != nil {
			in.refuse(w, err)
			return
		}
		defer in.end()
		r.Body = &countedBody{ReadCloser: r.Body, message: in}
		next.ServeHTTP(w, r)
	})
}

// refuse answers a request whose body was not read because of err.
func (r *reading) refuse(w http.ResponseWriter, err error) {
	s := refusal(err)
	linger(w)
	writeStatus(w, httpStatus(s.GetCode()), s)
}

// headerBytes is the size of h as HTTP/2 counts it (RFC 9113, 6.5.2).
func headerBytes[H ~map[string][]string](h H) (n int) {
	for name, values := range h {
		for _, value := range values {
			n += len(name) + len(value) + 32
		}
	}
	return n
}

// countedBody is the body of a request that is counted in the budget until the
// request ends.
type countedBody struct {
	io.ReadCloser
	message       *reading
	came, counted int64
}

// counting reads what from makes of a message that has arrived, counting that too.
func (r *reading) counting(from io.Reader) io.Reader {
	return &countedBody{ReadCloser: io.NopCloser(from), message: r}
}

// Read implements io.Reader.
func (b *countedBody) Read(p []byte) (int, error) {
	p = p[:min(len(p), windowBytes)]
	if more := b.came + int64(len(p)) - b.counted; more > 0 {
		if err := b.message.grow(more); err != nil {
			return 0, bodyError(err)
		}
		b.counted += more
	}
	n, err := b.ReadCloser.Read(p)
	b.came += int64(n)
	switch {
	case err == io.EOF: //nolint:errorlint // io.Reader's own
		if !b.message.arrived() {
			err = bodyError(b.message.failed(errBudget))
		}
	case err != nil:
		err = bodyError(b.message.failed(err))
	}
	return n, err
}

// bodyError gives the budget's errors their code for those who read a body.
func bodyError(err error) error {
	if err == nil {
		return nil
	}
	if s := refusal(err); s != nil {
		return connect.NewError(connect.Code(s.GetCode()), err)
	}
	return err
}
