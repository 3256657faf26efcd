package runner

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"time"

	"google.golang.org/genproto/googleapis/rpc/code"

	"krt.dev/kn-krt/pkg/runner/event"
)

// Output is a message in its encoded form.
type Output struct {
	// Message is the full name of the message's type; "" stands for no message.
	Message string
	// Data are the message's bytes.
	Data []byte

	buffer *[]byte // what Data is part of, if that may be used again; see buffers
}

// Foreign is a node whose code runs outside this process, such as one in Python
// (pkg/pyrunner). [RunForeign] gives it all else a Go node has: server, limits,
// replies, the answers that the contract of events wants.
type Foreign interface {
	// Init makes the node ready for calls; until it returns, the node takes no
	// events. An error ends RunForeign.
	Init(ctx context.Context) error
	// Call runs the handler for in. Calls run concurrently. An error becomes the
	// caller's answer, as one of a [Handler] does; see [Unavailable] and [Failed]
	// for other ends. It should end soon after c's context, and calls [Begin] once it
	// does not wait any more.
	Call(c *HandlerContext, in *event.Event) (Output, error)
	// Down says why the node, once initialised, can take no calls for now; nil if it
	// can. Until it can, it is not ready, and events are refused with 503.
	Down() error
}

// Unavailable is the error of a call that came to no answer for a cause outside
// the handler. The event is refused with 503, and delivery may send it again.
type Unavailable struct{ Err error }

func (u *Unavailable) Error() string { return u.Err.Error() }
func (u *Unavailable) Unwrap() error { return u.Err }

// Failed returns err as one that gives the caller another code or reason (see
// event's Reason constants) than INTERNAL, HANDLER_ERROR.
func Failed(code code.Code, reason string, err error) error { return &failure{code, reason, err} }

// Typed returns err as one of an exception of that type, which the caller and the
// log are told beside its text.
func Typed(name string, err error) error { return &typed{name, err} }

type typed struct {
	name string
	err  error
}

func (t *typed) Error() string { return t.err.Error() }
func (t *typed) Unwrap() error { return t.err }

// typeOf is the type of the exception that err is, "" if it is none.
func typeOf(err error) string {
	var t *typed
	if errors.As(err, &t) {
		return t.name
	}
	return ""
}

// RunForeign runs a foreign node as [Run] runs a Go node.
func RunForeign(ctx context.Context, o Options, f Foreign) error {
	return run(ctx, o, f.Call, func(_ *node, ctx context.Context) error { return f.Init(ctx) }, f.Down)
}

// ReplyEncoded is c.EarlyReply of a message that is encoded already.
func ReplyEncoded(c *HandlerContext, out Output) error { return c.earlyReply(out, nil) }

// RequestContext is c.Context without the event's deadline: for code that keeps
// the deadline itself and need not pay for another timer.
func RequestContext(c *HandlerContext) context.Context { return c.parent }

// Log returns the logger for what a runner says of the call: within a limit, unlike
// that of the handler.
func Log(c *HandlerContext) *slog.Logger { return c.own.Slog() }

// Deadline is when the call must have ended, zero for never. An early reply moves
// it, so it must be asked for again after [ReplyEncoded].
func Deadline(c *HandlerContext) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.until()
}

// MaxMessageBytes is the size of the largest message that c's node takes or sends.
func MaxMessageBytes(c *HandlerContext) int { return int(c.node.maxMessageBytes) }

// Begin says that the call's turn has come: the node's own timeout runs from now on.
func Begin(c *HandlerContext) { c.begin() }

// Background is how long the call may go on once it has replied early; 0 if its
// deadline stays what it is, because it has been answered before or because the
// node's own timeout bounds it.
func Background(c *HandlerContext) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.detached || c.over != nil || !c.node.replies.can(c.in) {
		return 0
	}
	return c.node.backgroundTimeout
}

// caller runs a node's code for one event.
type caller func(c *HandlerContext, in *event.Event) (Output, error)

// answerUnavailable refuses the event so that delivery sends it again.
func (s *server) answerUnavailable(w http.ResponseWriter, u *Unavailable) {
	answerText(w, http.StatusServiceUnavailable, fmt.Sprintf("node '%s': %v", s.node.name, u.Err))
}

// EnvLogger returns the logger over w that the settings KRT_LOG and
// KRT_LOG_LEVEL ask for: what [Options].Logger is by default, over w.
func EnvLogger(w io.Writer, getenv func(string) string) (*slog.Logger, error) {
	return newSlog(w, getenv)
}
