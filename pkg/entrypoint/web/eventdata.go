package web

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"strings"

	"github.com/cloudevents/sdk-go/v2/binding"
	cloudevents "github.com/cloudevents/sdk-go/v2/event"
	cehttp "github.com/cloudevents/sdk-go/v2/protocol/http"
	"google.golang.org/genproto/googleapis/rpc/code"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	"krt.dev/kn-krt/pkg/runner/clip"
	"krt.dev/kn-krt/pkg/runner/event"
	"krt.dev/kn-krt/pkg/schema"
)

// Attribute returns an extension attribute of the event; empty if it has none of
// that name.
func (in *Event) Attribute(name string) string {
	value, _ := in.Extensions()[name].(string)
	return value
}

// Trace returns the trace context in the event's attributes (the extension
// Distributed Tracing), zero if it has none.
func (in *Event) Trace() event.Trace {
	return event.NewTrace(in.Attribute("traceparent"), in.Attribute("tracestate"))
}

// Message returns the event's data, of at most limit bytes, encoded as a message of
// the given type. The event gives its data up.
func (in *Event) Message(json *JSON, limit int, input protoreflect.MessageDescriptor) ([]byte, *EventError) {
	data := in.Data()
	in.DataEncoded = nil
	if n := len(data); n > limit {
		text := fmt.Sprintf("the data has %d bytes, the limit is %d%s", n, limit, event.LimitNamed)
		return nil, &EventError{Status: http.StatusRequestEntityTooLarge, Text: text}
	}
	contentType := in.DataContentType()
	message := dynamicpb.NewMessage(input)
	switch {
	case isProtobuf(contentType) && len(data) > smallBody:
		return data, nil // as over gRPC: decoding it would take a multiple of its size
	case isProtobuf(contentType):
		if err := event.Decode(proto.UnmarshalOptions{Resolver: json.types, RecursionLimit: schema.MaxNesting}, data, message); err != nil {
			return nil, badEvent("the data is not a %s: %v", input.FullName(), err)
		}
		return data, nil
	case isJSON(contentType):
		if len(data) == 0 {
			data = []byte("{}")
		}
		if err := json.unmarshal(data, message); err != nil {
			return nil, unread(err, input)
		}
		encoded, err := proto.Marshal(message)
		if err != nil {
			return nil, badEvent("the data cannot be encoded as %s: %v", input.FullName(), err)
		}
		return encoded, nil
	}
	return nil, &EventError{Status: http.StatusUnsupportedMediaType, Text: fmt.Sprintf(
		"data of type %q is not supported; send application/json or %s", clip.Text(contentType, 64), event.ContentType)}
}

// unread refuses an event whose data could not be read as JSON of that kind because of err.
func unread(err error, kind protoreflect.MessageDescriptor) *EventError {
	switch large := new(sizeError); {
	case errors.As(err, &large):
		return &EventError{Status: http.StatusRequestEntityTooLarge, Text: large.text}
	case errors.Is(err, errHeavy):
		return &EventError{Status: http.StatusTooManyRequests, Text: fmt.Sprintf("the data cannot be decoded: %v", err)}
	}
	return quoting(fmt.Sprintf("the data is not a %s in JSON", kind.FullName()), err.Error())
}

// Respond responds to the event with an event in the same form and of the same trace:
// from source, of data, which is an encoded message of the given type.
func (in *Event) Respond(w http.ResponseWriter, json *JSON, source string, output protoreflect.MessageDescriptor, data []byte) {
	kind := string(output.FullName())
	out := cloudevents.New()
	out.SetID(in.ID() + "@" + in.Source()) // two producers may use the same id; a repeated event has the same response
	out.SetSource(source)
	out.SetType(kind)
	out.SetExtension("causationid", in.ID())
	if trace := in.Trace(); trace.Parent != "" {
		out.SetExtension("traceparent", trace.Parent)
		if trace.State != "" {
			out.SetExtension("tracestate", trace.State)
		}
	}
	if isProtobuf(in.DataContentType()) {
		out.SetDataSchema("https://type.googleapis.com/" + kind)
		_ = out.SetData(in.DataContentType(), data)
	} else {
		message := dynamicpb.NewMessage(output)
		err := event.Decode(proto.UnmarshalOptions{Resolver: json.types}, data, message)
		var text []byte
		if err == nil {
			text, err = json.response().Marshal(message)
		}
		if err != nil {
			WriteFailure(w, &spb.Status{Code: int32(code.Code_INTERNAL), Message: fmt.Sprintf("the response cannot be written as JSON: %v", err)})
			return
		}
		_ = out.SetData(cloudevents.ApplicationJSON, text)
		out.DataBase64 = false // the SDK takes bytes for binary
	}
	writeEvent(w, &out, in.mode)
}

// writeEvent writes an event in the given mode.
func writeEvent(w http.ResponseWriter, out *cloudevents.Event, mode binding.Encoding) {
	ctx := context.Background()
	if mode == binding.EncodingStructured {
		ctx = binding.WithForceStructured(ctx)
	}
	_ = cehttp.WriteResponseWriter(ctx, binding.ToMessage(out), http.StatusOK, &attributeWriter{w})
}

// attributeWriter percent-encodes the attributes of an event in binary mode,
// which the SDK does not.
type attributeWriter struct{ http.ResponseWriter }

// WriteHeader implements http.ResponseWriter.
func (w *attributeWriter) WriteHeader(status int) {
	for name, values := range w.Header() {
		if strings.HasPrefix(name, headerPrefix) {
			for i := range values {
				values[i] = event.EncodeAttribute(values[i])
			}
		}
	}
	w.ResponseWriter.WriteHeader(status)
}

// EventError refuses a producer's event.
type EventError struct {
	// Status is the HTTP status to respond with.
	Status int
	// Text is what is wrong with the event.
	Text string

	brief string // Text without what it quotes of the event; empty if it quotes no data
}

// maxRefusal bounds the text of a refusal, in bytes: decoders quote what they refuse.
const maxRefusal = 2048

func badEvent(format string, args ...any) *EventError {
	return &EventError{Status: http.StatusBadRequest, Text: clip.Text(fmt.Sprintf(format, args...), maxRefusal)}
}

// quoting is a refusal whose cause may quote the event's data.
func quoting(brief, cause string) *EventError {
	e := badEvent("%s: %s", brief, cause)
	e.brief = brief
	return e
}

// Unquoted returns the refusal without what it quotes of the event's data: as it is logged
// and kept where some values must not be.
func (e *EventError) Unquoted() *EventError {
	return &EventError{Status: e.Status, Text: cmp.Or(e.brief, e.Text)}
}

// Failure is the refusal as a status.
func (e *EventError) Failure() *spb.Status {
	c := code.Code_INVALID_ARGUMENT
	switch e.Status {
	case http.StatusNotFound:
		c = code.Code_NOT_FOUND
	case http.StatusRequestEntityTooLarge:
		return sizeFailure(e.Text)
	case http.StatusTooManyRequests:
		c = code.Code_RESOURCE_EXHAUSTED
	case http.StatusRequestTimeout:
		c = code.Code_DEADLINE_EXCEEDED
	}
	return &spb.Status{Code: int32(c), Message: e.Text}
}

// Write responds with the refusal.
func (e *EventError) Write(w http.ResponseWriter) {
	if e.Status == http.StatusTooManyRequests || e.Status == http.StatusRequestTimeout {
		closeAfter(w)
	}
	WriteStatus(w, e.Status, e.Failure())
}

func isProtobuf(contentType string) bool {
	switch mediaType(contentType) {
	case "application/protobuf", "application/x-protobuf", "application/vnd.google.protobuf":
		return true
	}
	return false
}

// isJSON: data without a content type is JSON (CloudEvents 1.0, 3.1).
func isJSON(contentType string) bool {
	m := mediaType(contentType)
	return m == "" || m == "application/json" || m == "text/json" || strings.HasSuffix(m, "+json")
}

func mediaType(contentType string) string {
	m, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		return contentType
	}
	return m
}
