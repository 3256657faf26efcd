package entrypoint

import (
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
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/dynamicpb"

	"krt.dev/kn-krt/pkg/runner/event"
)

// takeEvent answers a producer's CloudEvent, binary or structured, with
// protobuf or JSON data, by a CloudEvent in the same form; or by 202 at once
// when the producer prefers that (RFC 7240, respond-async). workflow comes from
// the path and may be empty.
func (e *Entrypoint) takeEvent(w http.ResponseWriter, r *http.Request, workflow string) {
	t := e.acquire()
	if t == nil {
		http.Error(w, "the version is stopping", http.StatusServiceUnavailable)
		return
	}
	// Structured mode wraps the data in JSON and base64: twice the size.
	r.Body = http.MaxBytesReader(w, r.Body, 2*int64(e.options.MaxMessageBytes)+maxHeaderBytes)
	message := cehttp.NewMessageFromHttpRequest(r)
	in, err := binding.ToEvent(r.Context(), message)
	if err != nil {
		t.release()
		refuseEvent(w, err)
		return
	}
	route, refusal := t.choose(in, workflow)
	if refusal == nil && len(in.Data()) > e.options.MaxMessageBytes {
		refusal = &eventError{http.StatusRequestEntityTooLarge, fmt.Sprintf("the data has %d bytes, the limit is %d", len(in.Data()), e.options.MaxMessageBytes)}
	}
	var data []byte
	if refusal == nil {
		data, refusal = t.decode(in, route)
	}
	if refusal != nil {
		t.release()
		// Of a source or a channel nobody reads the answer.
		e.log.Warn("refused an event", "type", clip(in.Type(), 128), "source", clip(in.Source(), 128), "error", refusal.text)
		refusal.write(w)
		return
	}
	request := inbound{data: mem.SliceBuffer(data), causationID: clip(in.ID(), 256), traceParent: extension(in, "traceparent"), traceState: extension(in, "tracestate")}
	if request.traceParent == "" {
		request.traceParent, request.traceState = r.Header.Get("Traceparent"), r.Header.Get("Tracestate")
	}
	if prefersAsync(r) {
		go e.answerNobody(t, route, request) //nolint:gosec // the producer's context ends with the 202, the request does not
		w.Header().Set("Preference-Applied", "respond-async")
		w.WriteHeader(http.StatusAccepted)
		return
	}
	if !t.retain() { // the call gives its reference back; writing the answer needs one too
		http.Error(w, "the version is stopping", http.StatusServiceUnavailable)
		return
	}
	defer t.release()
	out, failure := e.call(r.Context(), t, route, request)
	if failure != nil {
		writeStatus(w, httpStatus(failure.GetCode()), failure)
		return
	}
	defer out.Free()
	t.answerEvent(w, route, in, message.ReadEncoding(), out.ReadOnlyData())
}

// answerNobody runs a request whose caller does not wait.
func (e *Entrypoint) answerNobody(t *table, r *route, in inbound) {
	out, failure := e.call(context.Background(), t, r, in)
	if failure != nil {
		e.log.Warn("a request that nobody waits for failed", "workflow", r.Name, "error", failure.GetMessage())
		return
	}
	out.Free()
}

// answerEvent writes the answer to a producer's event.
func (t *table) answerEvent(w http.ResponseWriter, r *route, in *cloudevents.Event, encoding binding.Encoding, data []byte) {
	out := cloudevents.New()
	out.SetID(in.ID() + "@" + in.Source()) // two producers may use the same id; a repeated event has the same answer
	out.SetSource(t.source)
	out.SetType(r.want)
	out.SetExtension("causationid", in.ID())
	if isProtobuf(in.DataContentType()) {
		out.SetDataSchema("https://type.googleapis.com/" + r.want)
		_ = out.SetData(in.DataContentType(), data)
	} else {
		message := dynamicpb.NewMessage(r.output)
		err := proto.UnmarshalOptions{Resolver: t.types}.Unmarshal(data, message)
		var text []byte
		if err == nil {
			text, err = answerJSON(t.types).Marshal(message)
		}
		if err != nil {
			writeStatus(w, http.StatusInternalServerError, &spb.Status{Code: int32(code.Code_INTERNAL), Message: fmt.Sprintf("the answer cannot be written as JSON: %v", err)})
			return
		}
		_ = out.SetData(cloudevents.ApplicationJSON, text)
		out.DataBase64 = false // the SDK takes bytes for binary
	}
	ctx := context.Background()
	if encoding == binding.EncodingStructured {
		ctx = binding.WithForceStructured(ctx)
	}
	_ = cehttp.WriteResponseWriter(ctx, binding.ToMessage(&out), http.StatusOK, w)
}

// choose finds what a producer's event asks for: the path, else the extension
// krtworkflow, else the type, else the only workflow there is.
func (t *table) choose(in *cloudevents.Event, workflow string) (*route, *eventError) {
	if workflow == "" {
		workflow = extension(in, "krtworkflow")
	}
	if workflow != "" {
		if r := t.byName[workflow]; r != nil {
			return r, nil
		}
		return nil, &eventError{http.StatusNotFound, fmt.Sprintf("version %q has no workflow %q; it has %s", t.version.Name, clip(workflow, 64), t.workflows())}
	}
	if r := t.find(in.Type()); r != nil {
		return r, nil
	}
	if len(t.byName) == 1 {
		for _, r := range t.byName {
			return r, nil
		}
	}
	return nil, &eventError{http.StatusNotFound, fmt.Sprintf("type %q is neither a workflow nor an rpc of version %q; POST /workflows/<name> or set the extension krtworkflow to one of %s", clip(in.Type(), 128), t.version.Name, t.workflows())}
}

// decode returns the event's data as the bytes of the rpc's input message.
func (t *table) decode(in *cloudevents.Event, r *route) ([]byte, *eventError) {
	contentType := in.DataContentType()
	message := dynamicpb.NewMessage(r.input)
	switch {
	case isProtobuf(contentType):
		if err := (proto.UnmarshalOptions{Resolver: t.types}).Unmarshal(in.Data(), message); err != nil {
			return nil, &eventError{http.StatusBadRequest, fmt.Sprintf("the data is no %s: %v", r.input.FullName(), err)}
		}
		return in.Data(), nil
	case isJSON(contentType):
		text := in.Data()
		if len(text) == 0 {
			text = []byte("{}")
		}
		if err := (protojson.UnmarshalOptions{Resolver: t.types}).Unmarshal(text, message); err != nil {
			return nil, &eventError{http.StatusBadRequest, fmt.Sprintf("the data is no %s in JSON: %v", r.input.FullName(), err)}
		}
		data, err := proto.Marshal(message)
		if err != nil {
			return nil, &eventError{http.StatusBadRequest, fmt.Sprintf("the data cannot be encoded as %s: %v", r.input.FullName(), err)}
		}
		return data, nil
	}
	return nil, &eventError{http.StatusUnsupportedMediaType, fmt.Sprintf("data of type %q is not taken; send application/json or %s", clip(contentType, 64), event.ContentType)}
}

// eventError refuses a producer's event.
type eventError struct {
	status int
	text   string
}

func (e *eventError) write(w http.ResponseWriter) {
	c := code.Code_INVALID_ARGUMENT
	if e.status == http.StatusNotFound {
		c = code.Code_NOT_FOUND
	}
	writeStatus(w, e.status, &spb.Status{Code: int32(c), Message: e.text})
}

// refuseEvent says why a body is no CloudEvent.
func refuseEvent(w http.ResponseWriter, err error) {
	var large *http.MaxBytesError
	refusal := &eventError{http.StatusBadRequest, fmt.Sprintf("the request is no CloudEvent: %v", err)}
	switch {
	case errors.As(err, &large):
		refusal = &eventError{http.StatusRequestEntityTooLarge, fmt.Sprintf("the event is larger than %d bytes", large.Limit)}
	case errors.Is(err, binding.ErrUnknownEncoding):
		refusal.text = "the request is no CloudEvent: binary mode wants the headers ce-specversion, ce-id, ce-source and ce-type; structured mode wants Content-Type application/cloudevents+json"
	}
	refusal.write(w)
}

func extension(in *cloudevents.Event, name string) string {
	value, _ := in.Extensions()[name].(string)
	return value
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

// prefersAsync reports whether the Prefer header asks for an answer at once.
func prefersAsync(r *http.Request) bool {
	for _, line := range r.Header.Values("Prefer") {
		for preference := range strings.SplitSeq(line, ",") {
			name, _, _ := strings.Cut(preference, ";")
			if strings.EqualFold(strings.TrimSpace(name), "respond-async") {
				return true
			}
		}
	}
	return false
}
