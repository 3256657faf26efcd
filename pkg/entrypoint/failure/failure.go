// Package failure makes what a client gets when its request has failed: of the events and dead
// letters that nodes and Knative send, which are untrusted, and of a deadline that has passed.
package failure

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/proto"

	"krt.dev/kn-krt/pkg/entrypoint/memory"
	"krt.dev/kn-krt/pkg/entrypoint/record"
	"krt.dev/kn-krt/pkg/runner/clip"
	"krt.dev/kn-krt/pkg/runner/event"
)

// What of a node's error reaches the client: gRPC carries it in trailers, and
// many clients refuse trailers above 8 KiB.
const (
	maxText    = 2048
	maxDetails = 2048
)

// maxReason bounds the reason and the node of a failure, in bytes: they may be a node's
// text.
const maxReason = 64

// deadlineSlack is how much earlier than ours the deadline of a client may be in any case.
const deadlineSlack = 10 * time.Millisecond

// Of is whose failure it is.
type Of struct {
	// Version and Workflow are their names.
	Version, Workflow string
}

// Read reads the status of an error event, the data of which source has sent, and keeps it
// within bounds: it is a node's text.
func (o Of) Read(source string, data []byte) *spb.Status {
	s := &spb.Status{}
	if err := proto.Unmarshal(data, s); err != nil {
		node := NodeOf(source)
		s = event.Failure{
			Reason: event.ReasonHandlerError,
			Text:   fmt.Sprintf("error in '%s': it sent an error that cannot be read: %v", node, err),
			Node:   node, Workflow: o.Workflow, Version: o.Version,
		}.Status()
	}
	return Bound(s)
}

// Bound keeps a status that a node has sent within bounds, and returns it.
func Bound(s *spb.Status) *spb.Status {
	if _, known := code.Code_name[s.GetCode()]; !known || s.GetCode() == int32(code.Code_OK) {
		s.Code = int32(code.Code_INTERNAL)
	}
	s.Message = clip.Text(s.GetMessage(), maxText)
	for i, size := 0, 0; i < len(s.GetDetails()); i++ {
		if size += proto.Size(s.Details[i]); size > maxDetails {
			s.Details = s.Details[:i]
		}
	}
	return s
}

// NodeOf is the last part of an event's source: who made it.
func NodeOf(source string) string {
	return clip.Text(source[strings.LastIndexByte(source, '/')+1:], 64)
}

// Describe sets the result of a request on its record.
func Describe(to *record.Record, failure *spb.Status) {
	to.Code = code.Code(failure.GetCode())
	if to.Code == code.Code_OK {
		return
	}
	to.Error = clip.Text(failure.GetMessage(), maxText) // many are kept, and none is counted
	to.Reason, to.Node = Reason(failure)
}

// Reason returns the reason of a failure, and the node whose it is; empty where it has none.
func Reason(failure *spb.Status) (reason, node string) {
	for _, detail := range failure.GetDetails() {
		info := &errdetails.ErrorInfo{}
		if detail.UnmarshalTo(info) == nil && info.GetDomain() == event.ErrorDomain {
			return clip.Text(info.GetReason(), maxReason), clip.Text(info.GetMetadata()["node"], maxReason)
		}
	}
	return "", ""
}

// OutOfTime reports whether client, whose request began at begin, has ended because its deadline
// passed. A gRPC client ends the call itself then, which looks like a cancellation; and its deadline
// is earlier than ours, by the time that the call took to get here and by what it rounds up. So one
// that ends in the last tenth of its time, but in its last second, is out of time.
func OutOfTime(client context.Context, begin time.Time) bool {
	deadline, ok := client.Deadline()
	switch {
	case errors.Is(context.Cause(client), context.DeadlineExceeded):
		return true
	case !ok || client.Err() == nil:
		return false
	}
	return time.Until(deadline) < min(deadline.Sub(begin)/10, time.Second)+deadlineSlack
}

// Final reports whether err means that a reply cannot be accepted, however often it
// is sent.
func Final(err error) bool {
	return errors.Is(err, event.ErrTooLarge) || errors.Is(err, memory.ErrFull)
}
