package runner

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"krt.dev/kn-krt/pkg/runner/event"
)

// HandlerContext is what a handler gets in addition to its message. Each call has
// its own; the one of init belongs to no call. It is safe for concurrent use. After
// the call only logging and the shared values may be used.
type HandlerContext struct {
	// Logger writes log lines of the node that name the call.
	Logger *Logger
	// Measurement saves measurements.
	Measurement *Measurement
	// Prediction saves predictions and their later true values.
	Prediction *Prediction
	// DB saves and finds documents.
	DB *DB

	node   *node
	parent context.Context // of the HTTP request; of the process in init
	in     *event.Event    // nil in init
	conn   readDeadline    // nil in init
	over   chan struct{}   // closed when the node's own timeout ends; nil: it has none

	own   Logger // the runner's own lines about the call, limited in number
	names names  // of the call, for both loggers
	step  step   // zero in init
	// stream is nil if the rpc is unary, and in init.
	stream *stream
	// silent is what is reported in the response if that has no event, and nothing has been
	// posted in its place.
	silent event.Steps

	// The four exported fields point here: one allocation per call instead of five.
	logger      Logger
	measurement Measurement
	prediction  Prediction
	db          DB

	mu        sync.Mutex   // guards the fields below
	ctx       *callContext // nil until Context is called
	deadline  time.Time    // zero: none
	limit     time.Time    // when the node's own timeout ends; zero until begin, or none
	timer     *time.Timer  // closes over at limit
	detached  bool         // no client waits any longer
	replied   bool
	earlyExit bool
}

// newContext returns the context of a call for in, or of init if in is nil.
func (n *node) newContext(parent context.Context, in *event.Event) *HandlerContext {
	c := &HandlerContext{node: n, parent: parent, in: in, logger: Logger{to: n.log}, own: Logger{to: n.own}}
	if in != nil {
		c.deadline, c.detached = in.Deadline, in.Replied
		if n.timeout > 0 {
			c.over = make(chan struct{})
		}
		c.names.workflow, c.names.correlationID = in.Workflow, in.CorrelationID
		c.logger.call, c.own.call = &c.names, &c.names
		if !in.Stream.Unary() {
			c.stream = newStream(c)
		}
	}
	c.measurement.c, c.prediction.c, c.db.c = c, c, c
	c.Logger, c.Measurement, c.Prediction, c.DB = &c.logger, &c.measurement, &c.prediction, &c.db
	return c
}

// Path returns the absolute path of a file of the bundle; relative is its path from
// the root of the bundle (KRT_BASE_PATH).
func (c *HandlerContext) Path(relative string) string {
	return filepath.Join(c.node.basePath, relative)
}

// Set stores value under key for all calls of this process.
func (c *HandlerContext) Set(key string, value any) { c.node.values.set(key, value) }

// Get returns the value stored under key. If there is none, it logs that and returns
// nil.
func (c *HandlerContext) Get(key string) any {
	value, ok := c.node.values.get(key)
	if !ok {
		c.Logger.Warnf("cannot get the value of key %q: not set", key)
	}
	return value
}

// GetString returns the string stored under key. If there is none, or it has another
// type, it logs that and returns "".
func (c *HandlerContext) GetString(key string) string { return getAs(c, key, "") }

// GetInt returns the int stored under key. If there is none, or it has another type,
// it logs that and returns -1, as in KRT V1.
func (c *HandlerContext) GetInt(key string) int { return getAs(c, key, -1) }

// GetFloat returns the float64 stored under key. If there is none, or it has another
// type, it logs that and returns -1, as in KRT V1.
func (c *HandlerContext) GetFloat(key string) float64 { return getAs(c, key, -1.0) }

func getAs[T any](c *HandlerContext, key string, otherwise T) T {
	value := c.Get(key)
	v, ok := value.(T)
	if ok {
		return v
	}
	if value != nil { // otherwise Get has logged it
		c.Logger.Warnf("cannot get the value of key %q: it is a %T, not a %T", key, value, otherwise)
	}
	return otherwise
}

// ErrReplied is returned for a reply to a request that already has a response.
var ErrReplied = errors.New("the request already has a response")

// EarlyReply sends msg to the client immediately. The handler and the workflow
// continue, and their later results are dropped. EarlyReply returns when the
// entrypoint has accepted the reply. From then on the client's deadline no longer
// applies: the call may take as long as the version's background timeout. The error
// is [ErrReplied] if the handler has replied before; otherwise it says why the
// entrypoint could not be reached before the deadline.
func (c *HandlerContext) EarlyReply(msg proto.Message) error {
	return c.earlyReply(encodeOutput(msg, nil))
}

func (c *HandlerContext) earlyReply(msg Output, err error) error {
	if c.in == nil {
		return errors.New("cannot reply: there is no request in init")
	}
	var out *event.Event
	if err == nil {
		out, err = c.node.newEvent(c, event.OutcomeReply, msg)
	}
	if err != nil {
		return fmt.Errorf("cannot reply: %w", err)
	}
	if !c.markReplied() {
		return fmt.Errorf("cannot reply: %w", ErrReplied)
	}
	switch sent, err := c.stream.reply(out); {
	case err != nil:
		return fmt.Errorf("cannot reply: %w", err)
	case sent:
		c.detach()
		return nil
	}
	if err := c.node.replies.post(c.Context(), &c.own, out); err != nil {
		return fmt.Errorf("cannot reply: %w", err)
	}
	if c.node.replies.can(out) {
		c.detach()
	}
	return nil
}

// Reply is EarlyReply by its older name.
func (c *HandlerContext) Reply(msg proto.Message) error { return c.EarlyReply(msg) }

// SetEarlyExit sends the message that the handler returns to the client; the
// following nodes do not run.
func (c *HandlerContext) SetEarlyExit() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.earlyExit = true
}

// Context returns the call's context. It ends at the deadline, which an early reply
// moves, at the end of the node's own timeout, and when the call is cancelled
// because the client no longer waits. A handler cannot be stopped from outside: one
// that may take long should pass this context on, or check it. The context carries
// the trace context of the call (see [TraceParent]). In init it ends when the process
// is asked to stop.
func (c *HandlerContext) Context() context.Context {
	if c.in == nil {
		return c.parent
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ctx == nil { // made on first use, because not every call needs its timer
		c.ctx = newCallContext(event.ContextWithTrace(c.parent, c.lockedTrace()), c.until())
	}
	return c.ctx
}

// Workflow returns the name of the workflow that the call belongs to. In init it is
// the node's workflow, or "" if the node is part of several.
func (c *HandlerContext) Workflow() string {
	if c.in == nil {
		return c.node.workflow
	}
	return c.in.Workflow
}

// GetWorkflow is Workflow by its older name.
func (c *HandlerContext) GetWorkflow() string { return c.Workflow() }

// RequestID returns the correlation id of the request, the same in all nodes of
// its workflow; "" in init.
func (c *HandlerContext) RequestID() string {
	if c.in == nil {
		return ""
	}
	return c.in.CorrelationID
}

// GetRequestID is RequestID by its older name.
func (c *HandlerContext) GetRequestID() string { return c.RequestID() }

// Mirrored reports whether the request is a copy of one that another version has served:
// nobody reads its response. What the handler saves through Measurement and Prediction is
// marked; other side effects happen a second time unless the handler leaves them out.
func (c *HandlerContext) Mirrored() bool { return c.in != nil && c.in.Mirror }

// Node returns the node's name.
func (c *HandlerContext) Node() string { return c.node.name }

// Version returns the version's name.
func (c *HandlerContext) Version() string { return c.node.version }

// TraceParent returns the W3C traceparent that the handler's own spans, and the
// requests it sends elsewhere, are to continue: its parent is the span of this run of
// the handler. It is "" if the request is not traced, and in init, and valid otherwise.
// The function [TraceParent] returns it from a context.
func (c *HandlerContext) TraceParent() string { return c.trace().Parent }

// TraceParent returns the W3C traceparent in ctx, which [HandlerContext.Context], or
// a context made from it, carries; "" if there is none.
func TraceParent(ctx context.Context) string { return event.ContextTrace(ctx).Parent }

// markReplied records that the handler has replied; false if it had before.
func (c *HandlerContext) markReplied() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	before := c.replied
	c.replied = true
	return !before
}

// end records that the handler has returned, frees what Context made, and reports how
// the handler ended the call.
func (c *HandlerContext) end() (earlyExit, replied bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ctx != nil {
		c.ctx.close()
	}
	if c.timer != nil {
		c.timer.Stop()
	}
	c.lockedReturned()
	return c.earlyExit, c.replied
}

// returned records when the handler has returned, which is before the next call's turn.
func (c *HandlerContext) returned() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lockedReturned()
}

// lockedReturned is returned for a caller that has locked c.mu.
func (c *HandlerContext) lockedReturned() {
	if c.step.ended.IsZero() { // else it has taken longer than the node's timeout
		c.step.ended = time.Now()
	}
}

// isNil reports whether m is nil, or a nil pointer to a message.
func isNil(m proto.Message) bool { return m == nil || !m.ProtoReflect().IsValid() }
