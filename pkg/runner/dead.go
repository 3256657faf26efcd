package runner

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"google.golang.org/genproto/googleapis/rpc/code"

	"krt.dev/kn-krt/pkg/runner/event"
)

// deadPath is the path of the reply port to which events are posted that were given up on.
const deadPath = "/dead-letter"

// buries reports whether the event of c is kept as a dead letter if it fails: no client waits for
// what comes of it, and the entrypoint keeps such events.
func (n *node) buries(c *HandlerContext) bool {
	if c.in.Keep == event.KeepNothing || !n.replies.can(c.in) {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.in.Replied || c.replied
}

// bury posts the event of c, on which the node gives up because of f, as a dead letter. If the
// entrypoint does not accept it, the error goes to it as any other.
func (n *node) bury(c *HandlerContext, f event.Failure) {
	f.Workflow = c.in.Workflow
	dead := *c.in
	c.stamp(&dead, event.OutcomeError)
	dead.Replied = true
	header := make(http.Header, 20)
	dead.WriteDead(header, f.Status())
	ctx := event.ContextWithTrace(context.WithoutCancel(c.parent), c.trace())
	to := strings.TrimSuffix(n.replies.url, replyPath) + deadPath
	if err := n.replies.postAs(ctx, to, header, &dead); err != nil {
		c.own.Slog().Error("dead letter lost", "error", err)
		n.postLast(c, n.failed(c, f))
	}
}

// failed returns the error event for f.
func (n *node) failed(c *HandlerContext, f event.Failure) *event.Event {
	out := c.in.Fail(n.source, f)
	c.stamp(out, event.OutcomeError)
	return out
}

// buryExpired is bury for an event whose deadline has passed, if it is kept; else it is dropped.
func (n *node) buryExpired(c *HandlerContext, what string) {
	if !n.buries(c) {
		return
	}
	n.bury(c, event.Failure{
		Code: code.Code_DEADLINE_EXCEEDED, Reason: event.ReasonDeadline, Node: n.name, Version: n.version,
		Text: fmt.Sprintf("error in '%s': %s", n.name, what),
	})
}
