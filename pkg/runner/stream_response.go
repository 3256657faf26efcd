package runner

import (
	"context"
	"errors"
	"net/http"
	"os"
	"time"
)

// streamWriter is what a stream needs of a response; net/http's has it.
type streamWriter interface {
	http.ResponseWriter
	FlushError() error
	SetWriteDeadline(time.Time) error
}

// response is the outlet of the last node where the sender of the event accepts it: the
// HTTP response.
type response struct {
	s     *stream
	w     streamWriter
	until time.Time // the connection's deadline
}

func newResponse(s *stream) *response {
	r := &response{s: s, w: s.w, until: Deadline(s.c)}
	_ = r.w.SetWriteDeadline(r.until) // zero lifts that of an earlier response
	s.begin().WriteStream(r.w.Header())
	r.w.WriteHeader(http.StatusOK)
	return r
}

// write implements outlet. Each call is one chunk of the response.
func (r *response) write(frames []byte) error {
	if until := Deadline(r.s.c); !until.Equal(r.until) {
		r.until = until
		_ = r.w.SetWriteDeadline(until)
	}
	_, err := r.w.Write(frames)
	if err == nil {
		err = r.w.FlushError()
	}
	switch {
	case err == nil:
		return nil
	case errors.Is(err, os.ErrDeadlineExceeded):
		return r.s.lose(context.DeadlineExceeded)
	}
	return r.s.lose(ErrNoClient) // the connection was closed, whatever the words for it
}

// end implements outlet. The server sends the frames together with the end of the response.
func (r *response) end(frames []byte) error {
	_ = r.w.SetWriteDeadline(endTime(r.s.c))
	_, err := r.w.Write(frames)
	return err
}

// abort implements outlet: what the server ends is a body without an end frame.
func (r *response) abort() {}

// endTime is until when the end of c's stream may be sent: the deadline of the client, not
// that of the node, but not less than any response has.
func endTime(c *HandlerContext) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	least := time.Now().Add(responseTime)
	if c.deadline.After(least) {
		return c.deadline
	}
	return least
}
