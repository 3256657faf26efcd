package runnertest

import (
	"testing"

	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/proto"

	"krt.dev/kn-krt/pkg/runner/event"
)

// Result is the result of one call.
type Result struct {
	t       testing.TB
	ended   bool           // the chain ended here
	message *event.Event   // for the next node
	replies []*event.Event // for the client, in order
	failure *event.Failure
	sent    []*event.Event // to the client of a streaming rpc, in order
	exited  bool           // with the end of a stream
}

// take records what the node posted to the reply port.
func (r *Result) take(e *event.Event) {
	if e.Type != event.TypeError {
		r.replies = append(r.replies, e)
		return
	}
	s, err := e.Status()
	if err != nil {
		r.t.Errorf("the node posted an error that is not a google.rpc.Status: %v", err)
		return
	}
	r.fail(s)
}

// fail records the error that the client gets.
func (r *Result) fail(s *status.Status) {
	r.failure = &event.Failure{Code: code.Code(s.GetCode()), Text: s.GetMessage()}
	for _, detail := range s.GetDetails() {
		info := &errdetails.ErrorInfo{}
		if detail.UnmarshalTo(info) == nil {
			r.failure.Reason = info.GetReason()
			r.failure.Node, r.failure.Workflow, r.failure.Version =
				info.GetMetadata()["node"], info.GetMetadata()["workflow"], info.GetMetadata()["version"]
		}
	}
}

// Message reads into m the message that the handler returned for the next node.
// It fails the test if there is none, because the handler failed or exited early, or if
// it has another type.
func (r *Result) Message(m proto.Message) {
	r.t.Helper()
	switch {
	case r.failure != nil:
		r.t.Fatalf("the handler failed: %s", r.failure.Text)
	case r.Exited():
		r.t.Fatal("the handler exited early: read its message with EarlyExit")
	case r.message == nil:
		r.t.Fatal("the handler returned no message in time")
	}
	r.read(r.message, m)
}

// EarlyReply reads into m the message that the handler gave to EarlyReply. It fails the
// test if there is none, or if it has another type.
func (r *Result) EarlyReply(m proto.Message) {
	r.t.Helper()
	if len(r.replies) == 0 || r.Exited() && len(r.replies) == 1 {
		r.t.Fatal("the handler sent no early reply")
	}
	r.read(r.replies[0], m)
}

// Replied reports whether the client has a response from this node, by an early reply
// or an early exit.
func (r *Result) Replied() bool { return len(r.replies) > 0 }

// EarlyExit reads into m the message that the handler returned after
// SetEarlyExit. It fails the test if there is none, or if it has another type.
func (r *Result) EarlyExit(m proto.Message) {
	r.t.Helper()
	if !r.Exited() {
		r.t.Fatal("the handler did not exit early")
	}
	r.read(r.replies[len(r.replies)-1], m)
}

// Exited reports whether the handler exited early.
func (r *Result) Exited() bool {
	return r.exited || r.ended && r.failure == nil && len(r.replies) > 0
}

// Sent returns how many messages of a streaming rpc (see [Streaming]) the client gets from
// the node: those that the handler sent, and the one that it returned if the node ends the
// stream.
func (r *Result) Sent() int { return len(r.sent) }

// SentMessage reads the i-th of them into m, from 0. It fails the test if there is none, or
// if it has another type.
func (r *Result) SentMessage(i int, m proto.Message) {
	r.t.Helper()
	if i < 0 || i >= len(r.sent) {
		r.t.Fatalf("there is no message %d: the client gets %d", i, len(r.sent))
	}
	r.read(r.sent[i], m)
}

// Failure returns the error that the client gets from a handler that returned an error
// or panicked, or nil if it did not. Its Text is "error in 'node': …".
func (r *Result) Failure() *event.Failure { return r.failure }

// Ended reports whether no node after this one would run: after an early exit, a
// failure, or the deadline.
func (r *Result) Ended() bool { return r.ended }

func (r *Result) read(e *event.Event, m proto.Message) {
	r.t.Helper()
	if want := m.ProtoReflect().Descriptor().FullName(); e.Message != string(want) {
		r.t.Fatalf("the message is a %s, not a %s", e.Message, want)
	}
	if err := proto.Unmarshal(e.Data, m); err != nil {
		r.t.Fatalf("the message is not a %s: %v", e.Message, err)
	}
}
