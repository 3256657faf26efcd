// Package event is the CloudEvent contract between entrypoint, channels and
// nodes: attribute names, headers, reading and writing. Entrypoint, Go runner
// and Python runner share it, so the wire has one definition.
//
// Only HTTP binary content mode is spoken here (CloudEvents 1.0, HTTP protocol
// binding 3.1). It is written by hand because it stands on the hot path of
// every step; the CloudEvents SDK is used at the entrypoint's outer edge.
package event

import (
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
)

// Event types of KRT. A workflow's last message is read as its reply.
const (
	// TypeMessage goes on to the next step.
	TypeMessage = "dev.krt.message"
	// TypeReply is an answer for the caller: an early reply or an early exit.
	TypeReply = "dev.krt.reply"
	// TypeError carries a google.rpc.Status for the caller.
	TypeError = "dev.krt.error"
)

// ContentType is the only data content type inside a version.
const ContentType = "application/protobuf"

// schemaPrefix makes a message's full name the absolute URI that CloudEvents
// wants of dataschema; Knative's channels answer 400 to a relative one.
const (
	schemaPrefix  = "https://" + typeURLPrefix
	typeURLPrefix = "type.googleapis.com/"
)

// Event is one CloudEvent on its way through a version.
type Event struct {
	// ID is unique per Source; a repeated delivery carries the same ID.
	ID string
	// Source is who made the event: see [Source].
	Source string
	// Type is one of TypeMessage, TypeReply, TypeError.
	Type string
	// Message is the full name of the protobuf message in Data, for example
	// "pkg.Request". On the wire it is dataschema.
	Message string
	// CorrelationID is the request's id; CausationID the id of the event that
	// caused this one.
	CorrelationID string
	CausationID   string
	// Workflow is the name of the workflow the event belongs to.
	Workflow string
	// Deadline is the instant after which nobody waits for an answer or, once
	// Replied, the instant at which the rest of the work ends; zero means none.
	Deadline time.Time
	// Replied says that no caller waits any more: the request has been answered
	// early, or was accepted asynchronously.
	Replied bool
	// ReplyToken authorises whoever holds the event to answer the request.
	ReplyToken string
	// Trace is the trace context in which the workflow was started, which all events
	// of a request have; that of the HTTP request that brings one is in its headers.
	Trace Trace
	// Data is the message's own bytes, never re-encoded on the way.
	Data []byte
}

// Source returns the source attribute of events made by part, which is
// "entrypoint" or a node's name.
func Source(namespace, version, part string) string {
	return "/krt/" + namespace + "/" + version + "/" + part
}

// Next returns the event that follows e: made by source, of type typ, carrying
// a message of the given full name. The id derives from e's, so that a handler
// that runs again for a repeated delivery repeats its events' ids too.
func (e *Event) Next(source, typ, message string, data []byte) *Event {
	next := *e
	next.Source, next.Type, next.Message, next.Data = source, typ, message, data
	next.CausationID = e.ID
	switch typ {
	case TypeReply:
		next.ID = e.ID + "-reply"
	case TypeError:
		next.ID = e.ID + "-error"
	}
	return &next
}

// Any returns the event's message as the Any that a handler receives. The
// bytes are shared with the event.
func (e *Event) Any() *anypb.Any {
	return &anypb.Any{TypeUrl: typeURLPrefix + e.Message, Value: e.Data}
}

// Expired reports whether nobody waits for an answer at instant now.
func (e *Event) Expired(now time.Time) bool {
	return !e.Deadline.IsZero() && now.After(e.Deadline)
}

// Encode returns the full name and the bytes of m: what an event carries.
func Encode(m proto.Message) (message string, data []byte, err error) { return Append(nil, m) }

// Append is Encode that appends the bytes to buffer.
func Append(buffer []byte, m proto.Message) (message string, data []byte, err error) {
	data, err = proto.MarshalOptions{}.MarshalAppend(buffer, m)
	return string(m.ProtoReflect().Descriptor().FullName()), data, err
}

// MessageName returns the full message name in a type URL or dataschema: what
// follows the last slash.
func MessageName(typeURL string) string {
	return typeURL[strings.LastIndexByte(typeURL, '/')+1:]
}
