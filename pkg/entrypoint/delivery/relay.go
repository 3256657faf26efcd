package delivery

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"time"

	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"

	"krt.dev/kn-krt/pkg/entrypoint/memory"
	"krt.dev/kn-krt/pkg/entrypoint/stream"
	"krt.dev/kn-krt/pkg/runner/clip"
	"krt.dev/kn-krt/pkg/runner/event"
)

// continueTime is how long another replica may take to accept a stream before it is sent.
const continueTime = 10 * time.Second

// lingerTime is how long a node may take to close its response behind the end of a stream.
const lingerTime = time.Second

// streaming is what the attempts of one step need where the request's rpc is a streaming
// one; it is nil where it is not.
type streaming struct {
	*Request

	// node and id say who sends: the step's node, for this event.
	node, id string
	// accept says that the response may be a stream: it is the last step's.
	accept bool
	// payload is settled once the step is not run again, because it has sent a message.
	payload *memory.Payload
	// cancel ends the exchange.
	cancel context.CancelFunc
	// ended says that the response was a stream, and has ended well.
	ended bool
}

// streaming returns what the attempts to send p to a step need; nil in a unary rpc.
func (r *Request) streaming(to *directStep, p *Parcel, payload *memory.Payload) *streaming {
	if r.Stream == nil {
		return nil
	}
	return &streaming{Request: r, node: to.node, id: p.Event.ID, accept: to.last, payload: payload}
}

// accepts reports whether the response may be a stream.
func (s *streaming) accepts() bool { return s != nil && s.accept }

// endedWell reports whether the response was a stream that has ended well.
func (s *streaming) endedWell() bool { return s != nil && s.ended }

// begun reports whether the step has sent a message of the stream, so that it must not run
// again.
func (s *streaming) begun() bool { return s != nil && s.Stream.Claimed(s.key()) }

func (s *streaming) key() string { return stream.Key(s.node, s.id) }

// Messages are what a node sends to the client of a streaming rpc: its response, or what
// it posts.
type Messages struct {
	// Event is of the headers; Data is unused.
	Event *event.Event
	// Key says who sends; see [stream.Key].
	Key string
	// Body has the frames.
	Body io.Reader
	// First is called once the first message has been passed on. It may be nil.
	First func()
}

// Relay passes messages on to s as they come, until their end, which it returns. A body
// without an end is a *stream.Cut; any other error says why s accepts no more: it is one of
// package stream, event.ErrTooLarge, [memory.ErrFull] or the cause of ctx.
func (x *exchange) Relay(ctx context.Context, s *stream.Stream, from Messages) (event.End, error) {
	if from.Event.Message != s.Message() {
		return event.End{}, &typeError{want: s.Message(), got: from.Event.Message}
	}
	part, err := s.Claim(from.Key)
	if err != nil {
		return event.End{}, err
	}
	defer part.Close()
	return part.Relay(ctx, from.Body, stream.Source{Pool: x.pool, Limit: x.limit, First: from.First})
}

// relay passes on a response that is a stream, and returns the event that ends the request
// if the stream ends with an error; nil if it ends well.
func (x *exchange) relay(ctx context.Context, body io.Reader, out *event.Event, s *send) (*Parcel, error) {
	to := s.streaming
	end, err := x.Relay(ctx, to.Stream, Messages{Event: out, Key: to.key(), Body: body, First: to.payload.Settle})
	if err == nil && end.Replied {
		to.EarlyReply(end)
		end, err = rest(body)
	}
	switch {
	case err != nil:
		return nil, err
	case end.Next || end.Replied:
		return nil, &malformedError{errors.New("the end of its stream is not that of a last node")}
	}
	// To the end, so that the connection is used again.
	linger := time.AfterFunc(lingerTime, to.cancel)
	_, _ = io.CopyN(io.Discard, body, 1)
	linger.Stop()
	if end.Failure == nil {
		s.steps, to.ended = end.Steps, true
		return nil, nil
	}
	data, err := proto.Marshal(end.Failure)
	if err != nil {
		return nil, &malformedError{err}
	}
	failed := *out
	failed.Type, failed.Steps = event.TypeError, end.Steps
	return &Parcel{Event: &failed, Data: mem.SliceBuffer(data)}, nil
}

// rest returns the end of a handler that has replied early: nothing else follows.
func rest(body io.Reader) (event.End, error) {
	last, length, err := event.ReadFrame(body, math.MaxUint32)
	if err == nil && !last {
		err = errors.New("a message follows the end of the stream")
	}
	var end event.End
	if err == nil {
		end, err = event.ReadEnd(body, length)
	}
	if err != nil {
		return event.End{}, &stream.Cut{Replied: true, Cause: err}
	}
	return end, nil
}

// typeError is a stream of other messages than the rpc's output.
type typeError struct{ want, got string }

// Error implements error.
func (t *typeError) Error() string {
	return fmt.Sprintf("expected %s as the messages of the stream, got %s", t.want, clip.Text(t.got, 200))
}

// refused reports whether err is why a stream does not accept messages of a node, which
// does not change when the node runs again.
func refused(err error) bool {
	return errors.Is(err, stream.ErrTaken) || errors.Is(err, stream.ErrOver) || errors.Is(err, stream.ErrTooMany) ||
		errors.As(err, new(*typeError))
}

// ErrNotSent says that no connection could be made, so that nothing has been sent.
var ErrNotSent = errors.New("the replica accepts no connection")

// ForwardStream posts body with the given header as it comes, once, and returns the status
// of the response, which may come before the body's end. Nothing of body is read before the
// replica accepts it. The error may be [ErrNotSent].
func (s *Sender) ForwardStream(ctx context.Context, to *url.URL, header http.Header, body io.Reader) (status int, err error) {
	// Not closed by the transport: the body is its reader's.
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to.String(), struct{ io.Reader }{body})
	if err != nil {
		return 0, err
	}
	req.Header = header
	req.Header.Set("Expect", "100-continue")
	err = s.replicas.reach(ctx, to.Host, func() error {
		res, err := s.replicas.RoundTrip(req)
		if err != nil {
			return err
		}
		status = res.StatusCode
		return res.Body.Close()
	})
	return status, err
}
