package runner

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"google.golang.org/protobuf/proto"

	"krt.dev/kn-krt/pkg/runner/event"
)

// ErrUnary is returned by Send for a request whose rpc returns one message. With a
// Sequence, it is also returned where an earlier node has a runner without streams, which
// does not pass on what Send needs.
var ErrUnary = errors.New("the rpc returns one message, not a stream (or an earlier node of the Sequence was built before streams)")

// ErrNoClient is returned by Send when no client waits for the stream: the client has gone,
// the request is over, or another delivery of the same event sends the stream. The call's
// context has ended too, and [context.Canceled] is wrapped.
var ErrNoClient = fmt.Errorf("no client waits for the stream: %w", context.Canceled)

// errTaken is ErrNoClient of a second delivery of an event.
var errTaken = fmt.Errorf("another delivery of the event sends the stream: %w", ErrNoClient)

// stream is what a call sends to the client of a streaming rpc besides its result. It is
// opened by the first message, so a handler that sends none costs, and does, what it does
// in a unary rpc.
type stream struct {
	c      *HandlerContext
	cancel context.CancelCauseFunc // ends the call
	w      streamWriter            // nil: the response may not be the stream

	mu      sync.Mutex // guards the fields below; held while a frame is sent
	out     outlet     // nil until the first message, and after an early reply by POST
	replied bool       // by a message of the stream
	closed  bool       // the handler has returned
	err     error      // why out is broken
	frame   []byte     // used again for each message
}

// outlet is where the frames of a call go. A method that cannot send the whole frame
// calls [stream.lose], unless it has sent nothing of it.
type outlet interface {
	// write sends frames, and waits while the client does not read, until the call's end.
	write(frames []byte) error
	// end sends the last frames, and waits until they have been received.
	end(frames []byte) error
	// abort ends the stream without an end frame.
	abort()
}

// newStream returns the stream of c, which then ends also when no client waits for it.
func newStream(c *HandlerContext) *stream {
	s := &stream{c: c}
	c.parent, s.cancel = context.WithCancelCause(c.parent)
	return s
}

// Send sends msg, a message of the streaming rpc's output type, to the client immediately.
// What the last node returns follows as the last message; an earlier node's message goes to
// the next node, as always. Send waits while the client does not read, until the call's
// context ends. After a response, as in background work, messages are dropped without an
// error.
//
// The errors are [ErrUnary]; [ErrNoClient]; that of the context; or what is wrong with msg:
// its type, or its size. A handler should return them.
func (c *HandlerContext) Send(msg proto.Message) error {
	out, err := c.node.buffers.encode(msg)
	if err == nil {
		err = SendEncoded(c, out)
	}
	c.node.buffers.put(out.buffer)
	return err
}

// SendEncoded is c.Send for a message that is already encoded.
func SendEncoded(c *HandlerContext, out Output) error {
	if err := c.send(out); err != nil {
		return fmt.Errorf("cannot send: %w", err)
	}
	return nil
}

func (c *HandlerContext) send(out Output) error {
	switch {
	case c.in == nil:
		return errors.New("there is no request in init")
	case c.stream == nil:
		return ErrUnary
	}
	if err := c.stream.check(out); err != nil {
		return err
	}
	return c.stream.send(out)
}

// check returns what is wrong with a message of the stream.
func (s *stream) check(out Output) error {
	switch want := s.c.in.Stream.Message; out.Message {
	case want:
		return s.c.node.fits(out)
	case "":
		return wrongOutput("there is no message")
	default:
		return wrongOutput("the message is a %s, the rpc returns a stream of %s", out.Message, want)
	}
}

// last reports whether the node is the workflow's last one.
func (s *stream) last() bool { return s.c.in.Stream.Last == s.c.node.name }

func (s *stream) send(out Output) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return ErrNoClient
	case s.c.hasResponse():
		return nil
	case !s.open() && s.err == nil:
		s.c.own.Slog().Warn("message dropped: no KRT_REPLY_URL or no reply token in the event", "message", out.Message)
		return nil
	case s.err != nil:
		return s.err
	}
	s.frame = event.AppendFrame(s.frame[:0], out.Data)
	err := s.out.write(s.frame)
	if s.err != nil || cap(s.frame) > maxBuffer {
		s.frame = nil // it may still be read from, or is large
	}
	return err
}

// open opens the outlet unless it is open; false if there is none, or it is broken.
func (s *stream) open() bool {
	switch {
	case s.out != nil || s.err != nil:
	case s.w != nil && s.last():
		s.out = newResponse(s)
	case s.c.node.replies.can(s.c.in):
		s.out = newPost(s)
	}
	return s.out != nil && s.err == nil
}

// lose records why the outlet is broken, ends the call, and returns what Send returns.
func (s *stream) lose(err error) error {
	s.err = err
	s.cancel(err)
	return err
}

// begin returns the event whose headers are those of the stream.
func (s *stream) begin() *event.Event {
	e := s.c.in.Next(s.c.node.source, event.TypeMessage, s.c.in.Stream.Message, nil)
	e.Steps = "" // they are known at the end
	return e
}

// hasResponse reports whether the client has a response, so that the results of the call are
// dropped.
func (c *HandlerContext) hasResponse() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.replied || c.detached
}

// responded reports whether the HTTP response is the call's stream.
func (c *HandlerContext) responded() bool {
	if c.stream == nil {
		return false
	}
	_, is := c.stream.out.(*response) // the stream is closed
	return is
}

// reply makes e, an early reply, part of a stream that has begun: its last message if that
// is the response, which true reports. Otherwise e is still to be posted, after the messages
// that have been sent.
func (s *stream) reply(e *event.Event) (bool, error) {
	if s == nil {
		return false, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.out == nil || s.err != nil || s.closed {
		return false, s.err
	}
	if err := s.check(Output{Message: e.Message, Data: e.Data}); err != nil {
		return false, err
	}
	if _, response := s.out.(*response); !response {
		err := s.out.end(event.AppendEnd(nil, event.End{Next: true}))
		if err == nil {
			s.out = nil
		}
		return false, err
	}
	frames := event.AppendEnd(event.AppendFrame(nil, e.Data), event.End{Replied: true, Steps: e.Steps})
	err := s.out.write(frames)
	s.replied = err == nil
	return s.replied, err
}
