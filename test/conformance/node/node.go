// Package node holds the nodes of the conformance version: the same behaviour in
// Go (Handler) and in Python (main.py), and a node that is no runner of ours at
// all (Foreign). What they do is said by the request that passes through them.
package node

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/timestamppb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"krt.dev/kn-krt/pkg/runner"
)

// Bundle holds the contract and the Python node's code.
//
//go:embed conformance.proto main.py
var Bundle embed.FS

// gateTick is how often a node that waits at a gate looks whether it is open.
const gateTick = 2 * time.Millisecond

// Handler returns the Go node's handler; records and gates are kept in folder
// dir.
func Handler(dir string) runner.Handler {
	return func(ctx *runner.HandlerContext, data *anypb.Any) (proto.Message, error) {
		// An empty request makes the first node reply; no other reply comes this way.
		if reply := (&Reply{}); data.MessageIs(reply) && len(data.GetValue()) == 0 {
			return reply, nil
		}
		in := &Request{}
		if err := data.UnmarshalTo(in); err != nil {
			return nil, err
		}
		c := &call{ctx: ctx, in: in, records: Records{dir, ctx.Node()}}
		return c.run()
	}
}

// call is one run of the handler.
type call struct {
	ctx     *runner.HandlerContext
	in      *Request
	records Records
	// yields says that the messages it has sent are all.
	yields bool
}

func (c *call) run() (proto.Message, error) {
	run, err := c.records.Run(c.in.GetId(), "")
	if err != nil {
		return nil, err
	}
	for _, order := range c.in.GetOrders() {
		if !order.obeyed(c.ctx.Node(), run) {
			continue
		}
		out, over, err := c.obey(order)
		if over || err != nil {
			return out, err
		}
	}
	if c.yields {
		return nil, nil
	}
	return c.next(), nil
}

// obeyed reports whether the order is for that node in that run of the call.
func (o *Order) obeyed(node string, run int) bool {
	return o.GetNode() == node && (o.GetTimes() == 0 || run <= int(o.GetTimes()))
}

// obey does one order; over ends the handler with out.
func (c *call) obey(o *Order) (out proto.Message, over bool, err error) {
	switch o.GetAct() {
	case Act_PASS:
		return nil, false, nil
	case Act_EARLY_REPLY:
		return nil, false, c.ctx.EarlyReply(&Reply{Text: o.GetText()})
	case Act_WAIT:
		return nil, false, c.records.AwaitGate(c.ctx.Context(), o.GetText())
	case Act_GROW:
		c.in.Payload = make([]byte, o.GetNumber())
		return nil, false, nil
	case Act_SEND, Act_YIELD:
		c.yields = c.yields || o.GetAct() == Act_YIELD
		return nil, false, c.send(o)
	case Act_SEND_WRONG:
		return nil, false, c.sendWrong(o)
	case Act_GENERATE:
		return &Reply{Text: o.GetText()}, true, c.send(o)
	}
	out, err = c.end(o)
	return out, true, err
}

// end does an order that ends the handler, and returns what that returns.
func (c *call) end(o *Order) (proto.Message, error) {
	switch o.GetAct() {
	case Act_EXIT:
		c.ctx.SetEarlyExit()
		return &Reply{Text: o.GetText()}, nil
	case Act_FAIL:
		return nil, errors.New(o.GetText())
	case Act_PANIC:
		panic(o.GetText())
	case Act_WRONG:
		return wrapperspb.String(o.GetText()), nil
	case Act_NONE:
		return nil, nil
	case Act_HANG:
		<-c.ctx.Context().Done()
		return nil, errors.Join(c.ctx.Context().Err(), c.records.Note(c.in.GetId(), "cancelled"))
	case Act_DIE:
		if os.Getpid() == 1 { // a container's first process is safe from its own signals
			os.Exit(128 + int(syscall.SIGKILL))
		}
		if err := syscall.Kill(os.Getpid(), syscall.SIGKILL); err != nil {
			return nil, err
		}
		select {} // the signal may take an instant
	case Act_TELL:
		lines, err := c.records.Lines(o.GetText())
		return &Reply{Text: strings.Join(lines, "\n")}, err
	case Act_OPEN:
		return &Reply{}, c.records.OpenGate(o.GetText())
	}
	return nil, fmt.Errorf("a Go node cannot %s", o.GetAct())
}

// next is what the node hands on: the request, or the reply if it is the last.
func (c *call) next() proto.Message {
	if c.in.GetId() != "" {
		visit := &Visit{
			Node: c.ctx.Node(), Version: c.ctx.Version(), Workflow: c.ctx.Workflow(),
			RequestId: c.ctx.RequestID(), TraceParent: c.ctx.TraceParent(), Mirrored: c.ctx.Mirrored(),
		}
		if at, ok := c.ctx.Context().Deadline(); ok {
			visit.Deadline = timestamppb.New(at)
		}
		c.in.Visits = append(c.in.Visits, visit)
	}
	return c.in.next(c.ctx.Node())
}

// next is the message that follows in when node is done with it.
func (r *Request) next(node string) proto.Message {
	if r.GetLast() != "" && r.GetLast() != node {
		return r
	}
	return &Reply{Payload: r.GetPayload(), Visits: r.GetVisits()}
}

// sleep waits d; the error is ctx's end.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
