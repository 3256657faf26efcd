package entrypoint

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"connectrpc.com/connect"
	"github.com/cloudevents/sdk-go/v2/binding"
	cloudevents "github.com/cloudevents/sdk-go/v2/event"
	cehttp "github.com/cloudevents/sdk-go/v2/protocol/http"
	"github.com/cloudevents/sdk-go/v2/types"

	"krt.dev/kn-krt/pkg/runner/event"
)

const (
	structuredType = "application/cloudevents+json"
	headerPrefix   = "Ce-"
	// byteOrderMark begins the texts of some editors; JSON does not allow it (RFC 8259, 8.1).
	byteOrderMark = "\uFEFF"
)

// parseEvent reads a producer's CloudEvent of at most limit bytes, in binary or
// structured mode. Once the event has arrived it takes its turn for what comes
// then. It says what is wrong with a request that is none.
func (e *Entrypoint) parseEvent(w http.ResponseWriter, r *http.Request, limit int64, waits *turn) (*cloudevents.Event, binding.Encoding, *eventError) {
	header, encoding, refusal := eventHeader(r.Header)
	if refusal != nil {
		return nil, encoding, refusal
	}
	body, refusal := readEventBody(w, r, limit, waits)
	if refusal != nil {
		return nil, encoding, refusal
	}
	if encoding == binding.EncodingStructured && strings.HasPrefix(string(body[:min(len(body), 3)]), byteOrderMark) {
		return nil, encoding, badEvent("the body begins with a byte order mark (U+FEFF), which JSON does not allow; send UTF-8 without it")
	}
	in, err := binding.ToEvent(r.Context(), cehttp.NewMessage(header, io.NopCloser(bytes.NewReader(body))))
	if err != nil {
		text := describeBinary(header, err)
		if encoding == binding.EncodingStructured {
			text = describeStructured(body, err)
		}
		return nil, encoding, badEvent("the request is not a CloudEvent: %s", text)
	}
	for name, value := range map[string]string{"id": in.ID(), "source": in.Source(), "type": in.Type()} {
		if value == "" {
			return nil, encoding, badEvent("the event's attribute %q is missing or empty; it is required", name)
		}
	}
	return in, encoding, nil
}

func badEvent(format string, args ...any) *eventError {
	return &eventError{http.StatusBadRequest, fmt.Sprintf(format, args...)}
}

// eventHeader returns the header with its attributes decoded, and the mode of
// the event that it belongs to.
func eventHeader(h http.Header) (http.Header, binding.Encoding, *eventError) {
	switch kind := mediaType(h.Get("Content-Type")); {
	case kind == structuredType:
		return h, binding.EncodingStructured, nil
	case strings.HasPrefix(kind, "application/cloudevents"):
		return nil, binding.EncodingUnknown, &eventError{http.StatusUnsupportedMediaType,
			fmt.Sprintf("events in the form %q are not supported; send one event in binary mode or as %s", clip(kind, 64), structuredType)}
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
		return nil, binding.EncodingUnknown, badEvent("the request is not a CloudEvent: binary mode wants the headers "+
			"ce-specversion, ce-id, ce-source and ce-type; structured mode wants Content-Type %s", structuredType)
	case version[0] != "1.0" && version[0] != "0.3":
		return nil, binding.EncodingUnknown, badEvent("the event's ce-specversion is %q; supported are \"1.0\" and \"0.3\"", clip(version[0], 32))
	}
	for _, name := range []string{"Ce-Id", "Ce-Source", "Ce-Type"} {
		if decoded.Get(name) == "" {
			return nil, binding.EncodingUnknown, badEvent("the header %s is missing or empty; a CloudEvent in binary mode requires it", strings.ToLower(name))
		}
	}
	return decoded, binding.EncodingBinary, nil
}

// readEventBody reads the body of an event to its end, and then, in its turn,
// decompresses it.
func readEventBody(w http.ResponseWriter, r *http.Request, limit int64, waits *turn) ([]byte, *eventError) {
	coding := strings.ToLower(strings.TrimSpace(r.Header.Get("Content-Encoding")))
	packed := isGzip(coding)
	if !packed && coding != "" && coding != "identity" {
		return nil, &eventError{http.StatusUnsupportedMediaType, fmt.Sprintf("Content-Encoding %q is not supported; send gzip or none", clip(coding, 32))}
	}
	data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	if err != nil {
		return nil, bodyRefusal(err)
	}
	if err := waits.take(r.Context(), len(data), packed); err != nil {
		return nil, badEvent("the request ended before it was read: %v", err)
	}
	counted, ok := r.Body.(*countedBody)
	if !packed || !ok { // without a body
		return data, nil
	}
	g := &gunzip{limit: limit}
	if err = g.Reset(bytes.NewReader(data)); err == nil {
		data, err = io.ReadAll(counted.message.counting(g))
	}
	if err != nil {
		return nil, bodyRefusal(err)
	}
	return data, nil
}

// bodyRefusal says why a body could not be read.
func bodyRefusal(err error) *eventError {
	var large *http.MaxBytesError
	var coded *connect.Error
	switch {
	case errors.As(err, &large):
		return &eventError{http.StatusRequestEntityTooLarge, fmt.Sprintf("the event is larger than %d bytes", large.Limit)}
	case errors.Is(err, errGrown):
		return &eventError{http.StatusRequestEntityTooLarge, err.Error()}
	case errors.Is(err, errBudget):
		return &eventError{http.StatusTooManyRequests, errBudget.Error()}
	case errors.Is(err, errSlow):
		return &eventError{http.StatusRequestTimeout, errSlow.Error()}
	case errors.As(err, &coded):
		return badEvent("%s", coded.Message())
	}
	return badEvent("the body cannot be read: %v", err)
}

// describeBinary says what is wrong with an event in binary mode of which the SDK
// says err.
func describeBinary(header http.Header, err error) string {
	for _, name := range sortedKeys(header) {
		attribute, ok := strings.CutPrefix(name, headerPrefix)
		if !ok {
			continue
		}
		shown, value := clip(strings.ToLower(name), 64), clip(header.Get(name), 64)
		if strings.Trim(strings.ToLower(attribute), "abcdefghijklmnopqrstuvwxyz0123456789") != "" {
			return fmt.Sprintf("the header %s names no attribute: those consist of letters and digits only", shown)
		}
		if _, bad := types.ParseTime(value); attribute == "Time" && bad != nil {
			return fmt.Sprintf("%s is %q; it must be a time such as \"2006-01-02T15:04:05Z\" (RFC 3339)", shown, value)
		}
		if _, bad := url.Parse(value); (attribute == "Source" || attribute == "Dataschema") && bad != nil {
			return fmt.Sprintf("%s is %q; it must be a URI", shown, value)
		}
	}
	return clip(err.Error(), 256)
}

// describeStructured says what is wrong with an event in structured mode of
// which the SDK says err.
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
	case *head.SpecVersion != "1.0" && *head.SpecVersion != "0.3":
		return fmt.Sprintf(`specversion is %q; supported are "1.0" and "0.3"`, clip(*head.SpecVersion, 32))
	}
	return err.Error()
}

// writeEvent writes an event in the given mode.
func writeEvent(w http.ResponseWriter, out *cloudevents.Event, encoding binding.Encoding) {
	ctx := context.Background()
	if encoding == binding.EncodingStructured {
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
