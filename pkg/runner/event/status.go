package event

import (
	"time"

	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
)

// ErrorDomain is the domain of every ErrorInfo of KRT.
const ErrorDomain = "krt.dev"

// Reasons of ErrorInfo: why a request failed.
const (
	ReasonHandlerError = "HANDLER_ERROR"     // the handler returned or raised an error
	ReasonHandlerPanic = "HANDLER_PANIC"     // the handler panicked
	ReasonWrongOutput  = "WRONG_OUTPUT"      // the last node returned another message than the rpc's
	ReasonUnavailable  = "NODE_UNAVAILABLE"  // the node cannot be reached, died or responded with 5xx
	ReasonDeadline     = "DEADLINE"          // no response in time
	ReasonTooLarge     = "MESSAGE_TOO_LARGE" // a message is larger than the limit
	ReasonStopping     = "STOPPING"          // the version stopped before the response
	ReasonOverload     = "OVERLOAD"          // the version has as many requests in flight as it accepts
	ReasonStreamLimit  = "STREAM_LIMIT"      // a node sent more messages than a stream may have
	ReasonColdStart    = "COLD_START"        // the node has no pod yet: it waits for a machine, or starts
)

// Failure is why the response to a request is an error.
type Failure struct {
	// Code is the gRPC code that the client gets.
	Code code.Code
	// Reason is one of the Reason constants.
	Reason string
	// Text is the message that the client gets; it names the node.
	Text string
	// Type is the type of the exception behind it, in languages that have exceptions.
	Type string
	// Node, Workflow and Version say where it happened; empty ones are left out.
	Node, Workflow, Version string
	// Retry is after what time the client may try again; 0: nobody knows.
	Retry time.Duration
}

// Status returns f as the google.rpc.Status that the client gets, with an ErrorInfo of
// the domain krt.dev, and a RetryInfo if it may try again.
func (f Failure) Status() *status.Status {
	info := &errdetails.ErrorInfo{Reason: f.Reason, Domain: ErrorDomain, Metadata: map[string]string{}}
	for key, value := range map[string]string{"type": f.Type, "node": f.Node, "workflow": f.Workflow, "version": f.Version} {
		if value != "" {
			info.Metadata[key] = value
		}
	}
	s := &status.Status{Code: int32(f.Code), Message: f.Text}
	if detail, err := anypb.New(info); err == nil {
		s.Details = []*anypb.Any{detail}
	}
	if f.Retry > 0 {
		if detail, err := anypb.New(&errdetails.RetryInfo{RetryDelay: durationpb.New(f.Retry)}); err == nil {
			s.Details = append(s.Details, detail)
		}
	}
	return s
}

// Fail returns the error event with f for the client of e.
func (e *Event) Fail(source string, f Failure) *Event {
	f.Workflow = e.Workflow
	message, data, err := Encode(f.Status())
	if err != nil { // only if the text is not UTF-8
		f.Text = "the error's text is not valid UTF-8"
		message, data, _ = Encode(f.Status())
	}
	return e.Next(source, TypeError, message, data)
}

// Status reads the google.rpc.Status of an error event.
func (e *Event) Status() (*status.Status, error) {
	s := &status.Status{}
	if err := proto.Unmarshal(e.Data, s); err != nil {
		return nil, err
	}
	return s, nil
}

// Error implements error: it returns the text.
func (f *Failure) Error() string { return f.Text }
