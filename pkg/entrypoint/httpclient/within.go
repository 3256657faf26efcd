package httpclient

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"

	"krt.dev/kn-krt/pkg/spare"
)

// Near reaches hosts within this process, which have the form of url.URL.Host.
type Near interface {
	// Dial connects to a host; nil without an error if the host is not there. An error is of
	// the form that [DialFailed] finds. The connection has a method Quiet() bool, which reports
	// that nothing can be read from it, not even its end.
	Dial(host string) (net.Conn, error)
	// Handler returns what serves a host's connections, nil if nobody does at present, the
	// context that those of its requests are made of, and what is to be called once it has
	// served one. The end of the context before that is the end of the server, which breaks
	// off what it serves as it would a connection.
	Handler(host string) (h http.Handler, base context.Context, done func())
}

// pipeBytes is up to how many bytes of a response are kept until its handler has returned;
// more are read as they are written.
const pipeBytes = 64 << 10

// errAbandoned is what a handler gets that reads its request when nobody waits any longer.
var errAbandoned = errors.New("the caller is gone")

// errStopped is what a caller gets whose server has ended meanwhile. What the handler still
// responds is no response: it has been told that nobody waits.
var errStopped = errors.New("it has stopped before it responded")

// postWithin is Post to a handler of this process, without a connection: what is sent is not
// written as HTTP, and not parsed. As with one, the handler goes on when ctx ends first, and
// is told by the context of its request.
func postWithin(ctx context.Context, to within, address *url.URL, header http.Header, out Body) (*http.Response, error) {
	served, cancel := context.WithCancel(to.base)
	request := &lent{data: out.Data, sent: out.Sent}
	defer request.end()
	if len(out.Data) == 0 { // nobody may read it
		request.tell()
	}
	answer := &answer{header: make(http.Header, 14), status: http.StatusOK, begun: make(chan struct{})}
	answer.stop = context.AfterFunc(ctx, func() {
		cancel()
		answer.abandon(context.Cause(ctx))
	})
	req := (&http.Request{
		Method: http.MethodPost, URL: address, Host: address.Host, RequestURI: address.RequestURI(),
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: header, Body: request, ContentLength: int64(len(out.Data)), RemoteAddr: address.Host,
	}).WithContext(served)
	spare.Go(func() {
		defer to.done()
		defer cancel()
		answer.serve(to, req)
	})
	select {
	case <-answer.begun:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case <-to.base.Done():
		if err := answer.breakOff(); err != nil {
			return nil, err
		}
	}
	return answer.response()
}

// within is a handler in this process.
type within struct {
	handler http.Handler
	base    context.Context
	done    func()
}

// lent is the body of a request, which its sender takes back.
type lent struct {
	mu    sync.Mutex
	data  []byte
	sent  func() // to be called once all of data has been read; nil afterwards
	ended bool
}

// Read implements io.Reader.
func (l *lent) Read(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.data) == 0 {
		if l.ended {
			return 0, errAbandoned
		}
		return 0, io.EOF
	}
	n := copy(p, l.data)
	if l.data = l.data[n:]; len(l.data) == 0 {
		l.data = nil
		l.tell()
	}
	return n, nil
}

// tell calls sent, while whoever lends the data waits.
func (l *lent) tell() {
	if l.sent != nil {
		l.sent()
		l.sent = nil
	}
}

// Close implements io.Closer.
func (l *lent) Close() error { return nil }

// end takes the data back.
func (l *lent) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended, l.sent = len(l.data) > 0, nil
	l.data = nil
}

// answer is the response of a handler.
type answer struct {
	header http.Header
	status int
	wrote  bool // the status
	data   []byte
	begun  chan struct{} // closed once it can be read
	stop   func() bool
	err    error // of the handler; valid once begun
	rest   *io.PipeWriter

	mu    sync.Mutex
	tail  *io.PipeReader // the other end of rest
	cause error          // why nobody waits
}

// serve has to respond to r. A panic is the end of the response, as the end of a connection is.
func (a *answer) serve(to within, r *http.Request) {
	defer func() {
		switch p := recover(); {
		case p != nil:
			a.err = fmt.Errorf("the server of the node panicked: %v", p)
		case a.rest == nil && to.base.Err() != nil:
			a.err = errStopped
		}
		if a.rest != nil {
			_ = a.rest.CloseWithError(a.err)
			return
		}
		close(a.begun)
	}()
	to.handler.ServeHTTP(a, r)
}

// response returns what has begun.
func (a *answer) response() (*http.Response, error) {
	if a.rest == nil && a.err != nil {
		a.stop()
		return nil, a.err
	}
	res := &http.Response{
		StatusCode: a.status, Header: a.header, ContentLength: int64(len(a.data)),
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}
	body := &answerBody{Reader: bytes.NewReader(a.data), answer: a}
	if a.rest != nil {
		res.ContentLength = -1
		if n, err := strconv.ParseInt(a.header.Get("Content-Length"), 10, 64); err == nil {
			res.ContentLength = n
		}
		body.Reader = io.MultiReader(body.Reader, a.tail)
	}
	res.Body = body
	return res, nil
}

// breakOff ends a response that has not begun when its server ends.
func (a *answer) breakOff() error {
	select {
	case <-a.begun:
		return nil
	default:
	}
	a.stop()
	a.abandon(errStopped)
	return errStopped
}

// abandon ends what is read, with cause, and written.
func (a *answer) abandon(cause error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.cause = cause
	if a.rest != nil {
		_ = a.rest.CloseWithError(cause)
	}
}

// Header implements http.ResponseWriter.
func (a *answer) Header() http.Header { return a.header }

// WriteHeader implements http.ResponseWriter.
func (a *answer) WriteHeader(status int) {
	if !a.wrote {
		a.wrote, a.status = true, status
	}
}

// Write implements http.ResponseWriter.
func (a *answer) Write(p []byte) (int, error) {
	a.wrote = true
	if a.rest == nil {
		if len(a.data)+len(p) <= pipeBytes {
			a.data = append(a.data, p...)
			return len(p), nil
		}
		a.pipe()
	}
	return a.rest.Write(p)
}

// pipe lets the caller read from now on what is written.
func (a *answer) pipe() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.tail, a.rest = io.Pipe()
	if a.cause != nil {
		_ = a.rest.CloseWithError(a.cause)
	}
	close(a.begun)
}

// SetReadDeadline and SetWriteDeadline are what a handler expects of a connection. There is
// nothing that could be slow but the caller, whose context ends it.

// SetReadDeadline does nothing.
func (a *answer) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline does nothing.
func (a *answer) SetWriteDeadline(time.Time) error { return nil }

// answerBody is the body of a response.
type answerBody struct {
	io.Reader
	answer *answer
}

// Close implements io.Closer. It must be called once.
func (b *answerBody) Close() error {
	b.answer.stop()
	b.answer.abandon(errAbandoned)
	return nil
}
