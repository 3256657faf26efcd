package runner

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"time"

	"google.golang.org/genproto/googleapis/rpc/code"

	"krt.dev/kn-krt/pkg/runner/clip"
	"krt.dev/kn-krt/pkg/runner/event"
	"krt.dev/kn-krt/pkg/runner/loglimit"
	"krt.dev/kn-krt/pkg/runner/store"
)

const maxErrorText = 4 << 10

// node runs the handler for events. It does not know the HTTP server.
type node struct {
	name, version, workflow string
	source                  string // of the events it makes
	basePath                string
	maxMessageBytes         int64
	timeout                 time.Duration // the node's own, of a call; 0: none
	backgroundTimeout       time.Duration // of the work after an early reply
	invoke                  invoke
	log                     *slog.Logger // for the handler
	own                     *slog.Logger // the runner's own lines about requests, limited in number
	replies                 *replies
	copies                  *copies
	store                   *store.Client // nil: none configured
	turns                   *turns        // nil: no limit of calls at a time
	values                  values
	called                  atomic.Bool // an event has been accepted
	buffers                 buffers
}

func newNode(c config, log *slog.Logger, call invoke) *node {
	log = log.With("node", c.node)
	own, replies := slog.New(loglimit.New(log.Handler())), newReplies(c.replyURL)
	return &node{
		name: c.node, version: c.version, workflow: c.workflow,
		source:          event.Source(c.runtime, c.version, c.node),
		basePath:        c.basePath,
		maxMessageBytes: c.maxMessageBytes,
		timeout:         c.timeout, backgroundTimeout: c.backgroundTimeout,
		invoke:  call,
		log:     log,
		own:     own,
		replies: replies,
		copies:  newCopies(replies, own),
		store:   c.store,
		turns:   newTurns(c.turns),
	}
}

// failure is an error with the code and reason that the client gets.
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

// process runs the handler for the call c and returns the event for the next step, or
// nil if the chain ends here: the handler exited early, which has been posted, or had
// replied and returned nothing, or the client no longer waits. Buffer goes back to buffers when next has been
// written. An error becomes the client's error by fail.
func (n *node) process(c *HandlerContext) (next *event.Event, buffer *[]byte, err error) {
	out, err := n.bounded(c)
	earlyExit, replied := c.end()
	e := ending{out, err, earlyExit, replied}
	if c.stream != nil && c.stream.close(e) {
		return n.finish(c, e), out.buffer, nil
	}
	return n.result(c, e)
}

// result is what process returns for a call that has no stream that has begun.
func (n *node) result(c *HandlerContext, e ending) (next *event.Event, buffer *[]byte, err error) {
	switch out, err := e.out, e.err; {
	case err != nil && c.parent.Err() != nil && errors.Is(err, context.Canceled):
		c.own.Slog().Info("call cancelled: the client no longer waits for the response", "error", err)
		return nil, nil, nil
	case c.expired():
		c.own.Slog().Warn("call ended after its deadline: its result is dropped", "error", err)
		n.buryExpired(c, "the handler has not ended before the deadline of the work")
		return nil, nil, nil
	case err != nil:
		return nil, nil, err
	case out.Message == "" && (e.replied || c.in.Replied):
		// The client has the early reply, and there is no message for a next node.
		c.silent = c.steps(event.OutcomeOK)
		return nil, nil, nil
	case !e.exit:
		next, err = n.newEvent(c, event.OutcomeOK, out)
		return next, out.buffer, err
	}
	exit, err := n.newEvent(c, event.OutcomeExit, e.out)
	if err != nil {
		return nil, nil, err
	}
	n.postLast(c, exit)
	return nil, nil, nil
}

// bounded runs the handler within the node's own timeout, if it has one. The time
// that a call waits for its turn does not count. A handler that continues after the
// timeout keeps running: its context has ended, and its result is dropped.
func (n *node) bounded(c *HandlerContext) (Output, error) {
	if n.timeout == 0 {
		return n.inTurn(c)
	}
	type result struct {
		out Output
		err error
	}
	done := make(chan result, 1)
	go func() {
		out, err := n.inTurn(c)
		done <- result{out, err}
	}()
	select {
	case r := <-done:
		if r.err == nil || !c.tookTooLong() {
			return r.out, r.err
		}
	case <-c.over:
	}
	err := fmt.Errorf("no response within %s, the node's timeout", n.timeout)
	return Output{}, &failure{code.Code_DEADLINE_EXCEEDED, event.ReasonDeadline, err}
}

// inTurn runs the handler when it is the call's turn.
func (n *node) inTurn(c *HandlerContext) (Output, error) {
	release, err := n.turns.take(c)
	if err != nil {
		return Output{}, err
	}
	defer release()
	defer c.returned()
	return n.call(c)
}

// call runs the handler; a panic in it becomes an error.
func (n *node) call(c *HandlerContext) (out Output, err error) {
	defer func() {
		if p := recover(); p != nil {
			c.own.Slog().Error("handler panicked", "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			err = &failure{code.Code_INTERNAL, event.ReasonHandlerPanic, fmt.Errorf("panic: %v", p)}
		}
	}()
	return n.invoke(c, c.in)
}

// newEvent returns the event with which the call c sends out: the message for the next
// step if the outcome is OK, else a reply. The error is a failure.
func (n *node) newEvent(c *HandlerContext, outcome event.Outcome, out Output) (*event.Event, error) {
	if out.Message == "" {
		return nil, wrongOutput("the handler returned no message")
	}
	if err := n.fits(out); err != nil {
		return nil, err
	}
	typ := event.TypeReply
	if outcome == event.OutcomeOK {
		typ = event.TypeMessage
	}
	next := c.in.Next(n.source, typ, out.Message, out.Data)
	c.stamp(next, outcome)
	return next, nil
}

// fits returns the failure of a message that is too large, else nil.
func (n *node) fits(out Output) error {
	size := int64(len(out.Data))
	if size <= n.maxMessageBytes {
		return nil
	}
	return &failure{code.Code_RESOURCE_EXHAUSTED, event.ReasonTooLarge,
		fmt.Errorf("the %s has %d bytes, the limit is %d%s", out.Message, size, n.maxMessageBytes, event.LimitNamed)}
}

// fail returns the error event for err, an error of the handler or of process.
func (n *node) fail(c *HandlerContext, err error) *event.Event {
	return n.failed(c, n.failure(c, err))
}

// failure returns what the client gets for err.
func (n *node) failure(c *HandlerContext, err error) event.Failure {
	f := event.Failure{
		Code: code.Code_INTERNAL, Reason: event.ReasonHandlerError,
		Text: n.failText(err),
		Type: typeOf(err), Node: n.name, Version: n.version, Workflow: c.in.Workflow,
	}
	var own *failure
	var down *Unavailable
	switch {
	case errors.As(err, &own):
		f.Code, f.Reason = own.code, own.reason
	case errors.As(err, &down):
		f.Code, f.Reason = code.Code_UNAVAILABLE, event.ReasonUnavailable
	}
	return f
}

// failText is the text of err for the client (KRT V1: "error in '<node>': …"). It is
// valid UTF-8, as protobuf requires, and short enough for the HTTP headers that carry
// it in the end.
func (n *node) failText(err error) string {
	text := clip.Text(err.Error(), maxErrorText)
	return strings.ToValidUTF8("error in '"+n.name+"': "+text, "\uFFFD")
}

// postLast posts the event that ends the chain, even if the HTTP request has been
// cancelled: the sender of that request need not be who waits for the response. A
// failure is only logged, because the handler must not run again.
func (n *node) postLast(c *HandlerContext, e *event.Event) {
	ctx := event.ContextWithTrace(context.WithoutCancel(c.parent), c.trace())
	if err := n.replies.post(ctx, &c.own, e); err != nil {
		c.own.Slog().Error("reply lost", "type", e.Type, "error", err)
	}
}
