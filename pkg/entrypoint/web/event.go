package web

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"connectrpc.com/connect"
	"github.com/cloudevents/sdk-go/v2/binding"
	cloudevents "github.com/cloudevents/sdk-go/v2/event"
	cehttp "github.com/cloudevents/sdk-go/v2/protocol/http"
	"github.com/cloudevents/sdk-go/v2/types"

	"krt.dev/kn-krt/pkg/entrypoint/memory"
	"krt.dev/kn-krt/pkg/runner/clip"
	"krt.dev/kn-krt/pkg/runner/event"
)

const (
	structuredType = "application/cloudevents+json"
	headerPrefix   = "Ce-"
	// byteOrderMark begins the texts of some editors; JSON does not allow it (RFC 8259, 8.1).
	byteOrderMark = "\uFEFF"
)

// Event is a producer's CloudEvent, and the mode in which it came.
type Event struct {
	*cloudevents.Event
	mode binding.Encoding
}

// structuredOverhead is what structured mode adds to twice the size of the data,
// which it wraps in JSON and base64.
const structuredOverhead = 64 << 10

// ReadEvent reads a producer's CloudEvent, in binary or structured mode. Once it has
// arrived it takes its turn, in which it should be decoded. The error is a refusal of
// the request.
func (d *Decoding) ReadEvent(w http.ResponseWriter, r *http.Request, turn *Turn) (*Event, *EventError) {
	header, mode, refusal := eventHeader(r.Header)
	if refusal != nil {
		return nil, refusal
	}
	body, refusal := readEventBody(w, r, d.MaxEvent(), turn)
	if refusal != nil {
		return nil, refusal
	}
	if mode == binding.EncodingStructured && strings.HasPrefix(string(body[:min(len(body), 3)]), byteOrderMark) {
		return nil, badEvent("the body begins with a byte order mark (U+FEFF), which JSON does not allow; send UTF-8 without it")
	}
	in, err := binding.ToEvent(r.Context(), cehttp.NewMessage(header, io.NopCloser(bytes.NewReader(body))))
	if err != nil {
		text := describeBinary(header, err)
		if mode == binding.EncodingStructured {
			text = describeStructured(body, err)
		}
		return nil, quoting("the request is not a CloudEvent", text)
	}
	if version := in.SpecVersion(); version != cloudevents.CloudEventsVersionV1 {
		return nil, badEvent("the event's specversion is %q; only %q is supported", version, cloudevents.CloudEventsVersionV1)
	}
	for name, value := range map[string]string{"id": in.ID(), "source": in.Source(), "type": in.Type()} {
		if value == "" {
			return nil, badEvent("the event's attribute %q is missing or empty; it is required", name)
		}
	}
	return &Event{in, mode}, nil
}

// IsEvent reports whether a request with the header h is meant as a CloudEvent.
func IsEvent(h http.Header) bool {
	if strings.HasPrefix(mediaType(h.Get("Content-Type")), "application/cloudevents") {
		return true
	}
	for name := range h {
		if strings.HasPrefix(name, headerPrefix) {
			return true
		}
	}
	return false
}

// eventHeader returns the header with its attributes decoded, and the mode of
// the event that it belongs to.
func eventHeader(h http.Header) (http.Header, binding.Encoding, *EventError) {
	switch kind := mediaType(h.Get("Content-Type")); {
	case kind == structuredType:
		return h, binding.EncodingStructured, nil
	case strings.HasPrefix(kind, "application/cloudevents"):
		return nil, binding.EncodingUnknown, &EventError{Status: http.StatusUnsupportedMediaType,
			Text: fmt.Sprintf("events in the form %q are not supported; send one event in binary mode or as %s",
				clip.Text(kind, 64), structuredType)}
	}
	decoded := make(http.Header, len(h))
	for name, values := range h {
		if strings.HasPrefix(name, headerPrefix) && len(values) > 0 {
			values = []string{event.DecodeAttribute(values[0])}
		}
		decoded[name] = values
	}
	version, sent := decoded["Ce-Specversion"]
	switch {
	case !sent:
		return nil, binding.EncodingUnknown, badEvent("the request is not a CloudEvent: binary mode requires the headers "+
			"ce-specversion, ce-id, ce-source and ce-type; structured mode requires Content-Type %s", structuredType)
	case version[0] != cloudevents.CloudEventsVersionV1:
		return nil, binding.EncodingUnknown,
			badEvent("the event's ce-specversion is %q; only %q is supported", clip.Text(version[0], 32), cloudevents.CloudEventsVersionV1)
	}
	for _, name := range []string{"Ce-Id", "Ce-Source", "Ce-Type"} {
		if decoded.Get(name) == "" {
			return nil, binding.EncodingUnknown,
				badEvent("the header %s is missing or empty; a CloudEvent in binary mode requires it", strings.ToLower(name))
		}
	}
	return decoded, binding.EncodingBinary, nil
}

// readEventBody reads the body of an event to its end, and then, in its turn,
// decompresses it.
func readEventBody(w http.ResponseWriter, r *http.Request, limit int64, turn *Turn) ([]byte, *EventError) {
	coding := strings.ToLower(strings.TrimSpace(r.Header.Get("Content-Encoding")))
	compressed := isGzip(coding)
	if !compressed && coding != "" && coding != "identity" {
		return nil, &EventError{Status: http.StatusUnsupportedMediaType,
			Text: fmt.Sprintf("Content-Encoding %q is not supported; send gzip or none", clip.Text(coding, 32))}
	}
	data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	if err != nil {
		if errors.As(err, new(*http.MaxBytesError)) && eager(r) {
			discard(w, r.Body)
		}
		return nil, BodyRefusal(err)
	}
	if err := turn.take(r.Context(), len(data), compressed); err != nil {
		return nil, badEvent("the request ended before it was read: %v", err)
	}
	counted, ok := r.Body.(*countedBody)
	if !compressed || !ok { // without a body
		return data, nil
	}
	g := &gunzip{limit: limit}
	if err = g.Reset(bytes.NewReader(data)); err == nil {
		data, err = io.ReadAll(counting(counted.Upload, g))
	}
	if err != nil {
		return nil, BodyRefusal(err)
	}
	return data, nil
}

// BodyRefusal refuses an event whose body could not be read or kept because of err.
func BodyRefusal(err error) *EventError {
	var large *http.MaxBytesError
	var coded *connect.Error
	switch {
	case errors.As(err, &large):
		text := fmt.Sprintf("the event is larger than %d bytes, which follows from the limit of a message%s", large.Limit, event.LimitNamed)
		return &EventError{Status: http.StatusRequestEntityTooLarge, Text: text}
	case errors.Is(err, errGrown):
		return &EventError{Status: http.StatusRequestEntityTooLarge, Text: err.Error()}
	case errors.Is(err, memory.ErrFull):
		return &EventError{Status: http.StatusTooManyRequests, Text: memory.ErrFull.Error()}
	case errors.Is(err, memory.ErrSlow):
		return &EventError{Status: http.StatusRequestTimeout, Text: memory.ErrSlow.Error()}
	case errors.As(err, &coded):
		return badEvent("%s", coded.Message())
	}
	return badEvent("the body cannot be read: %v", err)
}

// describeBinary describes what is wrong with an event in binary mode for which the
// SDK returned err.
func describeBinary(header http.Header, err error) string {
	for _, name := range slices.Sorted(maps.Keys(header)) {
		attribute, ok := strings.CutPrefix(name, headerPrefix)
		if !ok {
			continue
		}
		shown, value := clip.Text(strings.ToLower(name), 64), clip.Text(header.Get(name), 64)
		if strings.Trim(strings.ToLower(attribute), "abcdefghijklmnopqrstuvwxyz0123456789") != "" {
			return fmt.Sprintf("the header %s is not an attribute: their names consist of letters and digits only", shown)
		}
		if _, bad := types.ParseTime(value); attribute == "Time" && bad != nil {
			return fmt.Sprintf("%s is %q; it must be a time such as \"2006-01-02T15:04:05Z\" (RFC 3339)", shown, value)
		}
		if _, bad := url.Parse(value); (attribute == "Source" || attribute == "Dataschema") && bad != nil {
			return fmt.Sprintf("%s is %q; it must be a URI", shown, value)
		}
	}
	return clip.Text(err.Error(), 256)
}

// describeStructured describes what is wrong with an event in structured mode for
// which the SDK returned err.
func describeStructured(body []byte, err error) string {
	var head struct {
		SpecVersion *string `json:"specversion"`
	}
	bad := json.Unmarshal(body, &head)
	switch {
	case bad != nil:
		return bad.Error()
	case head.SpecVersion == nil:
		return `the attribute "specversion" is missing`
	case *head.SpecVersion != cloudevents.CloudEventsVersionV1:
		return fmt.Sprintf("specversion is %q; only %q is supported", clip.Text(*head.SpecVersion, 32), cloudevents.CloudEventsVersionV1)
	}
	return err.Error()
}
