package runner

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/code"

	"krt.dev/kn-krt/pkg/runner/event"
	"krt.dev/kn-krt/pkg/runner/store"
)

const maxErrorText = 4 << 10

// node runs the handler for events. It knows nothing of HTTP servers.
type node struct {
	name, version, workflow string
	source                  string // of the events it makes
	basePath                string
	maxMessageBytes         int64
	caller                  caller
	log                     *slog.Logger
	replies                 *replies
	store                   *store.Client // nil: none configured
	turns                   *turns        // nil: calls run without a bound
	values                  values
	buffers                 buffers
}

func newNode(c config, log *slog.Logger, call caller) *node {
	return &node{
		name: c.node, version: c.version, workflow: c.workflow,
		source:          event.Source(c.runtime, c.version, c.node),
		basePath:        c.basePath,
		maxMessageBytes: c.maxMessageBytes,
		caller:          call,
		log:             log.With("node", c.node),
		replies:         newReplies(c.replyURL),
		store:           c.store,
		turns:           newTurns(c.turns),
	}
}

// failure is why a call gives its caller an error. Its text is for the caller.
type failure struct {
	code   code.Code
	reason string
	err    error
}

func (f *failure) Error() string { return f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

func wrongOutput(format string, args ...any) *failure {
	return &failure{code.Code_INTERNAL, event.ReasonWrongOutput, fmt.Errorf(format, args...)}
}

// process runs the handler for in and returns the event for the next step, or
// nil when the chain ends here: the handler made an exit, which has been posted,
// or nobody waits any more. Buffer goes back to buffers once next is written. An
// error is to be given to the caller by fail.
func (n *node) process(ctx context.Context, in *event.Event) (next *event.Event, buffer *[]byte, err error) {
	c := n.newContext(ctx, in)
	release, err := n.turns.take(ctx, in)
	if err != nil {
		return n.untaken(c, err)
	}
	out, err := n.call(c, in)
	release()
	earlyExit, replied := c.end()
	switch {
	case err != nil && ctx.Err() != nil && errors.Is(err, context.Canceled):
		c.Logger.Slog().Info("call cancelled: nobody waits for it", "error", err)
		return nil, nil, nil
	case in.Expired(time.Now()):
		c.Logger.Slog().Warn("call ended after its deadline: its answer is dropped", "error", err)
		return nil, nil, nil
	case err != nil:
		return nil, nil, err
	case out.Message == "" && replied:
		// The caller has the early reply, and there is nothing for a next node.
		return nil, nil, nil
	case !earlyExit:
		next, err = n.answer(c, event.TypeMessage, out)
		return next, out.buffer, err
	}
	exit, err := n.answer(c, event.TypeReply, out)
	if err != nil {
		return nil, nil, err
	}
	n.postLast(ctx, c.Logger, exit)
	return nil, nil, nil
}

// call runs the handler; a panic in it becomes an error.
func (n *node) call(c *HandlerContext, in *event.Event) (out Output, err error) {
	defer func() {
		if p := recover(); p != nil {
			c.Logger.Slog().Error("handler panicked", "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			err = &failure{code.Code_INTERNAL, event.ReasonHandlerPanic, fmt.Errorf("panic: %v", p)}
		}
	}()
	return n.caller(c, in)
}

// answer returns the event of type typ that carries out in the call c. The
// error is a failure.
func (n *node) answer(c *HandlerContext, typ string, out Output) (*event.Event, error) {
	if out.Message == "" {
		return nil, wrongOutput("the handler returned no message")
	}
	if size := int64(len(out.Data)); size > n.maxMessageBytes {
		return nil, &failure{code.Code_RESOURCE_EXHAUSTED, event.ReasonTooLarge,
			fmt.Errorf("the %s has %d bytes, the limit is %d (KRT_MAX_MESSAGE_BYTES)", out.Message, size, n.maxMessageBytes)}
	}
	next := c.in.Next(n.source, typ, out.Message, out.Data)
	next.TraceParent = c.TraceParent()
	return next, nil
}

// fail returns the error event for err, which a handler returned or process
// made of what it did.
func (n *node) fail(in *event.Event, err error) *event.Event {
	f := event.Failure{
		Code: code.Code_INTERNAL, Reason: event.ReasonHandlerError,
		Text: n.failText(err),
		Node: n.name, Version: n.version,
	}
	var own *failure
	if errors.As(err, &own) {
		f.Code, f.Reason = own.code, own.reason
	}
	out := in.Fail(n.source, f)
	out.TraceParent = event.NextSpan(in.TraceParent)
	return out
}

// failText is what the caller is told of err (KRT V1: "error in '<node>': …"). It
// is UTF-8, for it goes into protobuf, and short enough for the HTTP headers that
// bear it in the end.
func (n *node) failText(err error) string {
	text := err.Error()
	if len(text) > maxErrorText {
		text = text[:maxErrorText] + "…"
	}
	return strings.ToValidUTF8("error in '"+n.name+"': "+text, "\uFFFD")
}

// postLast posts the event that ends the chain. The request's cancellation does
// not end it: whoever cancelled may not be who waits for the answer. What comes
// of it changes nothing, as the handler must not run again for it.
func (n *node) postLast(ctx context.Context, log *Logger, e *event.Event) {
	if err := n.replies.post(context.WithoutCancel(ctx), log, e); err != nil {
		log.Slog().Error("answer lost", "type", e.Type, "error", err)
	}
}
