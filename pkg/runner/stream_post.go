package runner

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"krt.dev/kn-krt/pkg/runner/event"
)

// streamPath is the path of the reply port to which streams are posted.
const streamPath = "/stream"

// newStreams returns the client for streams: that of replies limits the time of a request.
func newStreams() *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			DialContext:            dialStream,
			MaxIdleConns:           64,
			MaxIdleConnsPerHost:    64,
			IdleConnTimeout:        60 * time.Second,
			ExpectContinueTimeout:  replyAttempt,
			MaxResponseHeaderBytes: 64 << 10,
			DisableCompression:     true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// streamConn is a connection that says when it has been closed. net/http ends no read of a
// request's body: one that waits for the handler's next message ends by this.
type streamConn struct {
	net.Conn
	once   sync.Once
	closed chan struct{}
}

func dialStream(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := (&net.Dialer{Timeout: replyAttempt}).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &streamConn{Conn: conn, closed: make(chan struct{})}, nil
}

func (c *streamConn) Close() error {
	c.once.Do(func() { close(c.closed) })
	return c.Conn.Close()
}

// post is the outlet of a node whose response is not the stream: the body of a POST to the
// reply port, which reads it only as fast as the client does. The request expects
// "100-continue", so as long as the reply port refuses it nothing has been sent.
type post struct {
	s      *stream
	cancel context.CancelFunc // of the request

	frames chan []byte   // to the body; closed behind the last
	taken  chan struct{} // receives when the body has been given a whole frame
	over   chan struct{} // closed when the result is known
	err    error         // the result, once over is closed; nil: all has been received
}

func newPost(s *stream) *post {
	p := &post{s: s, frames: make(chan []byte), taken: make(chan struct{}, 1), over: make(chan struct{})}
	// As a reply, it does not end with the HTTP request: the sender of that need not be who
	// waits for the stream.
	ctx := event.ContextWithTrace(context.WithoutCancel(s.c.parent), s.c.trace())
	ctx, p.cancel = context.WithCancel(ctx)
	go func() {
		p.err = p.send(ctx)
		close(p.over)
		if p.err != nil {
			s.cancel(p.err)
		}
	}()
	return p
}

// send posts the stream until the reply port accepts it: while nothing has been sent, what
// a later attempt may change is tried again with growing delays, until the client's
// deadline.
func (p *post) send(ctx context.Context) error {
	r, e := p.s.c.node.replies, p.s.begin()
	until := e.Deadline
	if until.IsZero() {
		until = time.Now().Add(replyPatience)
	}
	waiting, cancel := context.WithDeadline(ctx, until)
	defer cancel()
	for delay := replyFirstDelay; ; delay = min(2*delay, replyMostDelay) {
		body := &postBody{post: p}
		again, err := body.result(r.stream(ctx, e, body))
		if err == nil || errors.Is(err, ErrNoClient) {
			return err
		}
		if !again || !sleep(waiting, delay/2+rand.N(delay/2)) {
			return fmt.Errorf("cannot post to %s: %w", r.streamURL(), err)
		}
	}
}

// result returns what the response to b, or its error, says of the stream, and whether b
// may be posted again.
func (b *postBody) result(status int, err error) (again bool, _ error) {
	switch {
	case err != nil && b.ended.Load():
		b.s.c.own.Slog().Warn("the response to a stream was lost: it counts as received", "error", err)
		return false, nil
	case err != nil:
		return b.become(givenUp), err
	case status < http.StatusBadRequest:
		return false, nil
	case status == http.StatusConflict:
		return false, errTaken
	case status == http.StatusGone:
		return false, ErrNoClient
	}
	return status >= http.StatusInternalServerError && b.become(givenUp), fmt.Errorf("status %d", status)
}

// write implements outlet.
func (p *post) write(frames []byte) error { return p.give(p.s.c.Context(), frames) }

// give gives frames to the body, and returns when the connection has taken them.
func (p *post) give(ctx context.Context, frames []byte) error {
	if err := ctx.Err(); err != nil {
		return p.interrupted(err)
	}
	select {
	case p.frames <- frames:
	case <-p.over:
		return p.s.lose(p.lost())
	case <-ctx.Done():
		return p.interrupted(ctx.Err()) // before anything of the frames
	}
	select {
	case <-p.taken:
		return nil
	case <-p.over:
		select {
		case <-p.taken: // before, as the last frames are
			return nil
		default:
			return p.s.lose(p.lost())
		}
	case <-ctx.Done():
		return p.s.lose(p.interrupted(ctx.Err()))
	}
}

// interrupted returns the error of a write whose context has ended with err.
func (p *post) interrupted(err error) error {
	select {
	case <-p.over: // which ended the context
		return p.s.lose(p.lost())
	default:
	}
	if errors.Is(err, context.Canceled) {
		return ErrNoClient
	}
	return err
}

// lost returns why the request was over before the end of its body.
func (p *post) lost() error {
	if p.err == nil {
		return errors.New("the reply port did not wait for the end of the stream")
	}
	return p.err
}

// end implements outlet.
func (p *post) end(frames []byte) error {
	defer p.cancel()
	ctx, cancel := context.WithDeadline(context.WithoutCancel(p.s.c.parent), endTime(p.s.c))
	defer cancel()
	if err := p.give(ctx, frames); err != nil {
		return err
	}
	close(p.frames)
	select {
	case <-p.over:
		if p.err != nil {
			return p.s.lose(p.err)
		}
		return nil
	case <-ctx.Done():
		return p.s.lose(ctx.Err())
	}
}

// abort implements outlet.
func (p *post) abort() {
	p.cancel()
	<-p.over
}

// postBody is the body of one attempt. Only one is ever read from.
type postBody struct {
	*post
	state  atomic.Int32
	ended  atomic.Bool     // whether it has been read to its end
	rest   []byte          // of the frame that is being read
	closed <-chan struct{} // with the connection that it is written to
}

// States of a body after unread, of which it gets one. The transport may begin to read a
// body whose response is there already: then that of the next attempt would miss a frame.
const (
	begun   = 1 // it is being read
	givenUp = 2 // it must not be
)

// become gives b a state, unless it has the other one.
func (b *postBody) become(state int32) bool {
	return b.state.CompareAndSwap(0, state) || b.state.Load() == state
}

// Read implements io.Reader: each frame is one chunk, if it is not large.
func (b *postBody) Read(to []byte) (int, error) {
	if !b.become(begun) {
		return 0, net.ErrClosed
	}
	if len(b.rest) == 0 {
		select {
		case frame, more := <-b.frames:
			if !more {
				b.ended.Store(true)
				return 0, io.EOF
			}
			b.rest = frame
		case <-b.over:
			return 0, b.lost()
		case <-b.closed:
			return 0, net.ErrClosed
		}
	}
	n := copy(to, b.rest)
	if b.rest = b.rest[n:]; len(b.rest) == 0 {
		b.taken <- struct{}{}
	}
	return n, nil
}

// streamURL is where streams are posted.
func (r *replies) streamURL() string { return strings.TrimSuffix(r.url, replyPath) + streamPath }

// stream posts body with the headers of e, and returns the status of the response, which
// may come before the end of body.
func (r *replies) stream(ctx context.Context, e *event.Event, body *postBody) (status int, err error) {
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(info httptrace.GotConnInfo) {
		if conn, ok := info.Conn.(*streamConn); ok {
			body.closed = conn.closed
		}
	}})
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.streamURL(), body)
	if err != nil {
		return 0, err
	}
	req.ContentLength = -1
	e.WriteStream(req.Header)
	req.Header.Set("Expect", "100-continue")
	event.ContextTrace(ctx).WriteHeader(req.Header)
	res, err := r.streams.Do(req)
	if err != nil {
		return 0, err
	}
	defer func() { _ = res.Body.Close() }()
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, 4<<10)) // or the connection is not reused
	return res.StatusCode, nil
}
