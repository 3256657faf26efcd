package runner

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"time"

	"google.golang.org/genproto/googleapis/rpc/code"

	"krt.dev/kn-krt/pkg/runner/event"
)

// Output is a message in its encoded form.
type Output struct {
	// Message is the full name of the message's type; "" if there is no message.
	Message string
	// Data are the message's bytes.
	Data []byte

	buffer *[]byte // holds Data, if it can be used again; see buffers
}

// Foreign is a node whose code runs outside this process, such as a Python node
// (pkg/pyrunner). [RunForeign] adds all else that a Go node has: the server, its
// limits, replies, and the responses of the event contract.
type Foreign interface {
	// Init makes the node ready for calls; until it returns, the node refuses events.
	// An error ends RunForeign.
	Init(ctx context.Context) error
	// Call runs the handler for in. Calls run concurrently. An error is sent to the
	// client, as one of a [Handler] is; see [Unavailable] and [Failed] for others.
	// Call should return soon after c's context ends, and must call [Begin] when it no
	// longer waits for its turn.
	Call(c *HandlerContext, in *event.Event) (Output, error)
	// Down returns why the node, once initialised, cannot process calls at present, nil
	// if it can. Meanwhile the node is not ready, and refuses events with 503.
	Down() error
}

// Unavailable is the error of a call that failed for a reason outside the handler.
// The event is refused with 503, and the delivery may send it again.
type Unavailable struct {
	Err error
	// Later says that it was not the event's turn: the delivery may send it again for as long
	// as somebody waits for it, and not only a few times.
	Later bool
}

func (u *Unavailable) Error() string { return u.Err.Error() }
func (u *Unavailable) Unwrap() error { return u.Err }

// Failed returns err with the code and reason (one of event's Reason constants) that
// the client gets instead of INTERNAL and HANDLER_ERROR.
func Failed(code code.Code, reason string, err error) error { return &failure{code, reason, err} }

// Typed returns err with the type of the exception behind it, which is logged and
// sent to the client together with the text.
func Typed(name string, err error) error { return &typed{name, err} }

type typed struct {
	name string
	err  error
}

func (t *typed) Error() string { return t.err.Error() }
func (t *typed) Unwrap() error { return t.err }

// typeOf returns the type of the exception behind err, "" if there is none.
func typeOf(err error) string {
	var t *typed
	if errors.As(err, &t) {
		return t.name
	}
	return ""
}

// RunForeign runs a foreign node in the way that [Run] runs a Go node.
func RunForeign(ctx context.Context, o Options, f Foreign) error {
	return run(ctx, o, f.Call, func(_ *node, ctx context.Context) error { return f.Init(ctx) }, f.Down)
}

// ReplyEncoded is c.EarlyReply for a message that is already encoded.
func ReplyEncoded(c *HandlerContext, out Output) error { return c.earlyReply(out, nil) }

// RequestContext is c.Context without the deadline and the trace context, for code that
// observes the deadline itself and needs no second timer.
func RequestContext(c *HandlerContext) context.Context { return c.parent }

// Log returns the logger for a runner's own lines about the call. Their number is
// limited; that of the handler's is not.
func Log(c *HandlerContext) *slog.Logger { return c.own.Slog() }

// Deadline returns when the call must end, zero for never. An early reply moves it:
// call it again after [ReplyEncoded].
func Deadline(c *HandlerContext) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.until()
}

// TurnBy returns until when a call may wait for its turn that must end at a deadline: shortly before
// it, so that whoever sent the event learns in time what it has waited for. Zero is never.
func TurnBy(deadline time.Time) time.Time {
	if deadline.IsZero() {
		return deadline
	}
	return deadline.Add(-min(turnNotice, time.Until(deadline)/4))
}

// MaxMessageBytes returns the size of the largest message that c's node accepts or
// sends.
func MaxMessageBytes(c *HandlerContext) int { return int(c.node.maxMessageBytes) }

// Begin records that it is the call's turn: the node's own timeout starts now.
func Begin(c *HandlerContext) { c.begin() }

// Background returns how long the call may continue after an early reply; 0 if an
// early reply does not move its deadline, because the client already has a response or
// because the node has a timeout of its own.
func Background(c *HandlerContext) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.detached || c.over != nil || !c.node.replies.can(c.in) {
		return 0
	}
	return c.node.backgroundTimeout
}

// invoke runs a node's code for one event.
type invoke func(c *HandlerContext, in *event.Event) (Output, error)

// refuse responds with 503, so that the delivery sends the event again. It is the
// delivery that names the node.
func refuse(w http.ResponseWriter, u *Unavailable) {
	if u.Later {
		w.Header().Set("Retry-After", "1")
	}
	writeText(w, http.StatusServiceUnavailable, u.Error())
}

// EnvLogger returns a logger that writes to w in the format and level of the
// variables KRT_LOG and KRT_LOG_LEVEL, as the default of [Options].Logger does.
func EnvLogger(w io.Writer, getenv func(string) string) (*slog.Logger, error) {
	return newSlog(w, getenv)
}
