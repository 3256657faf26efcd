package entrypoint

import (
	"errors"
	"fmt"
	"mime"
	"net/http"
	"strings"

	"github.com/cloudevents/sdk-go/v2/binding"
	cloudevents "github.com/cloudevents/sdk-go/v2/event"
	"google.golang.org/genproto/googleapis/rpc/code"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/dynamicpb"

	"krt.dev/kn-krt/pkg/runner/event"
)

// takeEvent answers a producer's CloudEvent, binary or structured, with
// protobuf or JSON data, by a CloudEvent in the same form; or by 202 as soon as
// the event is on its way when the producer prefers that (RFC 7240,
// respond-async). workflow comes from
// the path and may be empty.
func (e *Entrypoint) takeEvent(w http.ResponseWriter, r *http.Request, workflow string) {
	t := e.acquire()
	if t == nil {
		http.Error(w, "the version is stopping", http.StatusServiceUnavailable)
		return
	}
	if !t.retain() { // the ticket gives its reference back; writing the answer needs one too
		http.Error(w, "the version is stopping", http.StatusServiceUnavailable)
		return
	}
	defer t.release()
	k, overload := e.admit(t, t.byName[workflow])
	if overload != nil {
		leaveUnread(w, r.ContentLength)
		writeStatus(w, httpStatus(overload.GetCode()), overload)
		return
	}
	in, ok := k.readEvent(w, r, workflow)
	if !ok {
		k.release()
		return
	}
	if prefersAsync(r) {
		id, failure := k.accept(r.Context(), in.request)
		if failure != nil {
			writeStatus(w, httpStatus(failure.GetCode()), failure)
			return
		}
		w.Header().Set("Preference-Applied", "respond-async")
		w.Header().Set("Krt-Correlation-Id", id) // what logs call the work
		w.WriteHeader(http.StatusAccepted)
		return
	}
	out, failure := k.call(r.Context(), in.request)
	if failure != nil {
		writeStatus(w, httpStatus(failure.GetCode()), failure)
		return
	}
	if out = answering(r.Context(), w, out); out == nil {
		return // the connection is closed
	}
	defer out.Free()
	t.answerEvent(w, k.route, in, out.ReadOnlyData())
}

// inEvent is a producer's event, the form it came in, and the request it makes.
type inEvent struct {
	*cloudevents.Event
	encoding binding.Encoding
	request  inbound
}

// readEvent reads a producer's event and sets the ticket's route. It reports
// false when it has refused it.
func (k *ticket) readEvent(w http.ResponseWriter, r *http.Request, workflow string) (inEvent, bool) {
	limit := k.entry.options.MaxMessageBytes
	// Structured mode wraps the data in JSON and base64: twice the size.
	waits := turn{slots: k.entry.decoders}
	defer waits.leave()
	in, encoding, refusal := k.entry.parseEvent(w, r, 2*int64(limit)+maxHeaderBytes, &waits)
	var data mem.Buffer
	if refusal == nil {
		if k.route, refusal = k.table.choose(in, workflow); refusal == nil {
			data, refusal = k.decode(in)
			in.DataEncoded = nil // not needed any more
		}
	}
	if refusal != nil {
		k.entry.refuseEvent(w, in, refusal)
		return inEvent{}, false
	}
	request := inbound{data: data, causationID: clip(in.ID(), 256), traceParent: extension(in, "traceparent"), traceState: extension(in, "tracestate")}
	if request.traceParent == "" {
		request.traceParent, request.traceState = r.Header.Get("Traceparent"), strings.Join(r.Header.Values("Tracestate"), ",")
	}
	return inEvent{in, encoding, request}, true
}

// refuseEvent answers a producer's event that was refused. Nobody reads the
// answer sent to a source or a channel, so it is logged too.
func (e *Entrypoint) refuseEvent(w http.ResponseWriter, in *cloudevents.Event, refusal *eventError) {
	if in != nil {
		e.log.Warn("refused an event", "type", clip(in.Type(), 128), "source", clip(in.Source(), 128), "error", refusal.text)
	}
	if refusal.status == http.StatusTooManyRequests || refusal.status == http.StatusRequestTimeout {
		linger(w)
	}
	refusal.write(w)
}

// answerEvent writes the answer to a producer's event.
func (t *table) answerEvent(w http.ResponseWriter, r *route, in inEvent, data []byte) {
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
	writeEvent(w, &out, in.encoding)
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
func (k *ticket) decode(in *cloudevents.Event) (mem.Buffer, *eventError) {
	if n, limit := len(in.Data()), k.entry.options.MaxMessageBytes; n > limit {
		return nil, &eventError{http.StatusRequestEntityTooLarge, fmt.Sprintf("the data has %d bytes, the limit is %d", n, limit)}
	}
	data, refusal := k.table.decode(in, k.route)
	if refusal != nil {
		return nil, refusal
	}
	kept, err := k.entry.buffers.keep(data)
	if err != nil {
		return nil, bodyRefusal(err)
	}
	return kept, nil
}

// decode returns the event's data as the bytes of the rpc's input message.
func (t *table) decode(in *cloudevents.Event, r *route) ([]byte, *eventError) {
	contentType := in.DataContentType()
	message := dynamicpb.NewMessage(r.input)
	switch {
	case isProtobuf(contentType) && len(in.Data()) > smallBody:
		return in.Data(), nil // as over gRPC: decoding it would take a multiple of its size
	case isProtobuf(contentType):
		if err := (proto.UnmarshalOptions{Resolver: t.types, RecursionLimit: maxDepth}).Unmarshal(in.Data(), message); err != nil {
			return nil, badEvent("the data is not a %s: %v", r.input.FullName(), err)
		}
		return in.Data(), nil
	case isJSON(contentType):
		text := in.Data()
		if len(text) == 0 {
			text = []byte("{}")
		}
		if err := t.unmarshalJSON(text, message); err != nil {
			if errors.Is(err, errHeavy) {
				return nil, &eventError{http.StatusTooManyRequests, fmt.Sprintf("the data is not taken: %v", err)}
			}
			return nil, badEvent("the data is not a %s in JSON: %v", r.input.FullName(), err)
		}
		data, err := proto.Marshal(message)
		if err != nil {
			return nil, badEvent("the data cannot be encoded as %s: %v", r.input.FullName(), err)
		}
		return data, nil
	}
	return nil, &eventError{http.StatusUnsupportedMediaType, fmt.Sprintf("data of type %q is not supported; send application/json or %s", clip(contentType, 64), event.ContentType)}
}

// eventError refuses a producer's event.
type eventError struct {
	status int
	text   string
}

func (e *eventError) write(w http.ResponseWriter) {
	c := code.Code_INVALID_ARGUMENT
	switch e.status {
	case http.StatusNotFound:
		c = code.Code_NOT_FOUND
	case http.StatusTooManyRequests, http.StatusRequestEntityTooLarge:
		c = code.Code_RESOURCE_EXHAUSTED
	case http.StatusRequestTimeout:
		c = code.Code_DEADLINE_EXCEEDED
	}
	writeStatus(w, e.status, &spb.Status{Code: int32(c), Message: e.text})
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
