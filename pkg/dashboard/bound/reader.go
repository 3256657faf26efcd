package bound

import (
	"io"
	"net/http"
	"time"
)

// reader is a request's body that ends when its browser has not sent a part of it for 20 seconds.
type reader struct {
	io.ReadCloser

	control *http.ResponseController
	missing int           // of the part that has to come
	left    time.Duration // that it may still take; time between two reads is the program's
}

// Limit lets the body of a request end, with an error that is [os.ErrDeadlineExceeded], when its
// browser has not sent a part of it for 20 seconds. Without a body, or after its end, a deadline of the
// server is lifted: it would end a stream.
func Limit(w http.ResponseWriter, r *http.Request) {
	b := &reader{ReadCloser: r.Body, control: http.NewResponseController(w), missing: chunk, left: patience}
	if r.Body == nil || r.Body == http.NoBody {
		b.deadline(time.Time{})
		return
	}
	b.deadline(time.Now().Add(patience)) // also for what the server reads of a body that nobody asked for
	r.Body = b
}

func (b *reader) deadline(at time.Time) { _ = b.control.SetReadDeadline(at) } // a test's response has none

// Read implements [io.Reader].
func (b *reader) Read(p []byte) (int, error) {
	began := time.Now()
	b.deadline(began.Add(b.left))
	n, err := b.ReadCloser.Read(p)
	b.left -= time.Since(began)
	if b.missing -= n; b.missing <= 0 {
		b.missing, b.left = chunk, patience
	}
	if err == io.EOF { // the server waits for the connection's end from now on
		b.deadline(time.Time{})
	}
	return n, err
}
