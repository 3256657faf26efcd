// Package event is the CloudEvent contract between entrypoint, channels and nodes:
// attribute names, headers, reading and writing. Entrypoint, Go runner and Python
// runner share it, so there is one definition of the wire format.
//
// It supports the binary content mode of HTTP only (CloudEvents 1.0, HTTP protocol
// binding 3.1). It is written by hand because it is on the hot path of every step;
// the entrypoint uses the CloudEvents SDK for the events of other producers.
package event

import (
	"fmt"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
)

// Event types of KRT. The last message of a workflow is its response.
const (
	// TypeMessage carries a message for the next step.
	TypeMessage = "dev.krt.message"
	// TypeReply is a response for the client: an early reply or an early exit.
	TypeReply = "dev.krt.reply"
	// TypeError carries a google.rpc.Status for the client.
	TypeError = "dev.krt.error"
)

// ContentType is the only data content type inside a version.
const ContentType = "application/protobuf"

// LimitNamed ends a text about a message that is larger than may be: it names the limit, as the setting of a cluster
// and the flag of a local run do.
const LimitNamed = " (max-message-bytes)"

// schemaPrefix makes the full name of a message an absolute URI, which CloudEvents
// requires of dataschema; Knative's channels respond with 400 to a relative one.
const (
	schemaPrefix  = "https://" + typeURLPrefix
	typeURLPrefix = "type.googleapis.com/"
)

// Event is one CloudEvent on its way through a version.
type Event struct {
	// ID is unique within Source; an event that is delivered again has the same ID.
	ID string
	// Source is the component that made the event: see [Source].
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
	// Deadline is when the client stops waiting for the response or, if Replied, when
	// the rest of the work ends; zero means never.
	Deadline time.Time
	// Replied says that no client waits any longer: the request has an early reply, or
	// was accepted asynchronously.
	Replied bool
	// ReplyToken authorises the holder of the event to respond to the request.
	ReplyToken string
	// Trace is the trace context in which the workflow was started, which all events
	// of a request have; that of the HTTP request that brings one is in its headers.
	Trace Trace
	// Steps is what the runners of the nodes that the event has passed have reported;
	// each appends its own entry to what it got.
	Steps Steps
	// Inspect is how many bytes of its data a runner sends to the entrypoint in a copy of
	// the event that follows (see [Event.WriteCopy]); 0: it sends none. The entrypoint sets
	// it, of requests that are inspected and do not come back to it after each step.
	Inspect int
	// Mirror says that the request is a copy of one that another version has served: nobody
	// reads its response, and what handlers save is marked.
	Mirror bool
	// Stream is the workflow's last node and the rpc's output type, if the rpc of the request
	// returns a stream.
	Stream Stream
	// Keep is what the entrypoint keeps of the request for later, where no client waits for it.
	Keep Keep
	// Data is the encoded message, which is never decoded on the way.
	Data []byte
}

// Source returns the source attribute of the events of a component, which is
// "entrypoint" or the name of a node.
func Source(namespace, version, component string) string {
	return "/krt/" + namespace + "/" + version + "/" + component
}

// Next returns the event that follows e: made by source, of type typ, with a message
// of the given full name. Its id derives from e's, so that a handler that runs again
// for the same event sends events with the same ids.
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

// Any returns the message of the event as the Any that a handler receives. They share
// their bytes.
func (e *Event) Any() *anypb.Any {
	return &anypb.Any{TypeUrl: typeURLPrefix + e.Message, Value: e.Data}
}

// Expired reports whether e's deadline has passed at the time now.
func (e *Event) Expired(now time.Time) bool {
	return !e.Deadline.IsZero() && now.After(e.Deadline)
}

// Encode returns the full name and the bytes of m, as an event carries them.
func Encode(m proto.Message) (message string, data []byte, err error) { return Append(nil, m) }

// Append is Encode that appends the bytes to buffer.
func Append(buffer []byte, m proto.Message) (message string, data []byte, err error) {
	data, err = proto.MarshalOptions{}.MarshalAppend(buffer, m)
	return string(m.ProtoReflect().Descriptor().FullName()), data, err
}

// Decode decodes data into m, as options say. Its error says what is malformed, also where
// package proto panics: over an entry of a map with a second key that is not one, in a
// message without generated code.
func Decode(options proto.UnmarshalOptions, data []byte, m proto.Message) (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("it is malformed: %v", cause)
		}
	}()
	return options.Unmarshal(data, m)
}

// MessageName returns the full message name in a type URL or dataschema: the part after
// the last slash.
func MessageName(typeURL string) string {
	return typeURL[strings.LastIndexByte(typeURL, '/')+1:]
}
