// Package record is what became of a request: one record, which metrics, traces, logs and
// whoever else looks at requests are made of. It knows no metrics, tracing or network.
package record

import (
	"slices"
	"time"

	"google.golang.org/genproto/googleapis/rpc/code"

	"krt.dev/kn-krt/pkg/runner/event"
)

// Observer gets the record of each request: once when the response has been handed to
// the client's protocol, and once more with Background set when work that continued
// behind an early reply has ended. Observers are called one after the other, on the
// goroutine of the request, so an observer must not block. The record is used again
// after the call: keep a [Record.Clone].
type Observer interface{ Observe(*Record) }

// Protocol is how the client called.
type Protocol string

// The protocols.
const (
	GRPC       Protocol = "grpc"
	GRPCWeb    Protocol = "grpc-web"
	Connect    Protocol = "connect"
	JSON       Protocol = "json" // POST of JSON to /package.Service/Rpc
	REST       Protocol = "rest" // by an annotation google.api.http
	CloudEvent Protocol = "cloudevent"
)

// Early is how the client got its response before the last node's event.
type Early string

// The ways to respond early; empty stands for the last node's event, or a failure.
const (
	EarlyReply Early = "reply" // the workflow continues
	EarlyExit  Early = "exit"  // the workflow has ended
)

// Record is what became of one request. It begins when the request is admitted and is
// complete when the client has its response. One that was refused, because it could not
// be admitted or read, has no ID.
//
// The record of an asynchronous request is complete when its work has ended: the client
// had its response, that the request was accepted, long before.
type Record struct {
	// ID is the correlation id; Causation the id of the producer's own event, if it sent one.
	ID, Causation string
	// Version and Workflow are the names; Method is package.Service/Rpc.
	Version, Workflow, Method string
	// Protocol is how the client called.
	Protocol Protocol
	// Begin is when the request was admitted, End when its response was there.
	Begin, End time.Time
	// Code is the result.
	Code code.Code
	// Reason is why a request failed, one of event's Reason constants; Node is where; Error
	// is the text. They are empty if Code is OK, and Reason and Node also if nothing is known.
	Reason, Node, Error string
	// Early is how the client got its response before the last node's event.
	Early Early
	// Async says that the client did not wait for the response.
	Async bool
	// Background says that the record is of the work behind an early reply: Begin and all
	// that names the request are as before. End, Code, Reason, Node and Error are those of
	// the work; Sends and Steps have what the first record did not have yet.
	Background bool
	// Sampled says that the request's trace is recorded, here or elsewhere.
	Sampled bool
	// Continued says that a record of the work behind an early reply will follow.
	Continued bool
	// RequestBytes and ResponseBytes are the sizes of the messages in protobuf;
	// ResponseBytes is 0 of a failure, and of a stream the sum of all that it had.
	RequestBytes, ResponseBytes int
	// Streamed says that the rpc's response is a stream. Then Messages is how many it had, also if
	// it failed after them, and FirstMessage when the first was there; zero if it had none.
	Streamed     bool
	Messages     int
	FirstMessage time.Time
	// Trace is the trace context that nodes get as that of the request: the one of its own
	// span or, if it has none, of the client; zero if that sent none that is valid.
	Trace event.Trace
	// SpanID is the request's own span; zero if it has none, because nothing of it is
	// recorded here. ParentID is the client's span; zero if it sent none.
	SpanID, ParentID [8]byte
	// Steps is what runners reported (see [event.Steps]), first to last. It is bounded, of
	// nodes of the workflow only, and within [Begin, now] by the entrypoint's clock: clocks
	// of nodes may differ. It may be incomplete: what nobody reported is not known.
	Steps []Step
	// Unended is of the work behind an early reply: the runs that the first record has as still
	// running (see [event.OutcomeReply]), and whose end nobody reported. They are not in Steps:
	// what counts steps has counted them.
	Unended []Step
	// Sends is what the entrypoint sent, one for each attempt that has ended: to each node
	// with direct delivery, else to the Sequence. The last one may be one that has not, if no
	// other record will have it. It is bounded: the last one takes the place of those after.
	Sends []Send
}

// Step is what a runner reported of one run of its node's handler.
type Step = event.Step

// Result is what became of an attempt.
type Result string

// The results.
const (
	ResultOK      Result = "ok"      // accepted
	ResultRetried Result = "retried" // failed, and tried again
	ResultGaveUp  Result = "gave_up" // failed and not tried again, or had no response when the request ended
)

// Send is one attempt to send the request's event.
type Send struct {
	// Node is the node that it was sent to; empty for a Sequence.
	Node string
	// Begin and End are when it was sent and when the response came.
	Begin, End time.Time
	// Attempt counts from 1.
	Attempt int
	// Shortcut says that it went straight to a pod of the node.
	Shortcut bool
	// Status is the HTTP status of the response; 0 if there was none.
	Status int
	// Result is what became of it, Error why it failed.
	Result Result
	Error  string
	// SpanID is the attempt's span; zero if it has none.
	SpanID [8]byte
}

// Clone returns a copy of r that may be kept.
func (r *Record) Clone() *Record {
	c := *r
	c.Steps, c.Unended, c.Sends = slices.Clone(r.Steps), slices.Clone(r.Unended), slices.Clone(r.Sends)
	return &c
}

// Elapsed is the time from Begin to End.
func (r *Record) Elapsed() time.Duration { return r.End.Sub(r.Begin) }

// UntilFirst is the time from Begin to the first message of a stream; 0 if it had none.
func (r *Record) UntilFirst() time.Duration {
	if r.Messages == 0 {
		return 0
	}
	return max(r.FirstMessage.Sub(r.Begin), 0)
}
