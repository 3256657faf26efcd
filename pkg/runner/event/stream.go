package event

import (
	"net/http"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// StreamType is the content type of a body of frames (see [AppendFrame]): Connect's.
const StreamType = "application/connect+proto"

// headerAccept is a header of one HTTP request, which no channel passes on.
const headerAccept = "Accept"

// Stream says that an event belongs to a request of a streaming rpc. On the wire it is
// the attribute krtstream, "<last node>;<message>", which a runner needs: where a Sequence
// routes events, a node cannot know otherwise that it is the last one.
type Stream struct {
	// Last is the name of the workflow's last node, which ends the client's stream.
	Last string
	// Message is the full name of the rpc's output: the type of every message of the
	// stream, whichever node sends it.
	Message string
}

// Unary reports whether s is zero: the rpc is not a streaming one.
func (s Stream) Unary() bool { return s == Stream{} }

// attribute returns the value of krtstream.
func (s Stream) attribute() string { return s.Last + ";" + s.Message }

// streamAttribute returns krtstream, zero if there is none or it is malformed: a node then
// processes the event as one of a unary rpc, whose result is a stream of one message.
func streamAttribute(h http.Header) Stream {
	last, message, ok := strings.Cut(get(h, headerStream), ";")
	if !ok || !stepNode(last) || !fullName(message) {
		return Stream{}
	}
	return Stream{Last: last, Message: message}
}

// AcceptStream sets on h, the headers of a request with an event, that the response may be
// a body of frames. Without it a node sends its messages to the reply port.
func AcceptStream(h http.Header) { h[headerAccept] = []string{StreamType} }

// AcceptsStream reports whether h has what [AcceptStream] sets.
func AcceptsStream(h http.Header) bool { return get(h, headerAccept) == StreamType }

// WriteStream sets the headers of e on h, as [Event.WriteHeader] does, for a body of frames
// instead of e's data.
func (e *Event) WriteStream(h http.Header) {
	e.WriteHeader(h)
	h[headerContentType] = []string{StreamType}
}

// IsStream reports whether h, of a response or of a POST to the reply port, announces a
// body of frames.
func IsStream(h http.Header) bool { return get(h, headerContentType) == StreamType }

// fullName reports whether name can be the full name of a message.
func fullName(name string) bool {
	return len(name) <= maxAttributeBytes && protoreflect.FullName(name).IsValid()
}
