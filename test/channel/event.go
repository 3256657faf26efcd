package channel

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// event is a CloudEvent in binary mode, as it is stored.
type event struct {
	// To and Subscriber are the channel that has accepted it and the one of its subscribers that
	// is to get it.
	To         Key
	Subscriber string
	Header     http.Header
	Data       []byte
}

func (e *event) encode() ([]byte, error) { return json.Marshal(e) }

func decodeEvent(b []byte) (*event, error) {
	e := &event{}
	if err := json.Unmarshal(b, e); err != nil {
		return nil, err
	}
	if e.Header == nil {
		return nil, errors.New("the event has no attributes")
	}
	return e, nil
}

// passed are the headers that Knative's channels pass on besides those of the event.
var passed = append([]string{"X-Request-Id", "Retry-After", "Content-Type"}, traced...)

// eventHeader is what of a request's header, or a response's, belongs to the event in it.
func eventHeader(h http.Header) http.Header {
	kept := http.Header{}
	for name, values := range h {
		if strings.HasPrefix(name, "Ce-") || strings.HasPrefix(name, "Knative-") || strings.HasPrefix(name, "X-B3-") {
			kept[name] = values
		}
	}
	for _, name := range passed {
		if values := h.Values(name); len(values) > 0 {
			kept[name] = values
		}
	}
	return kept
}

// checkEvent reports what is missing in the header of an event, as Knative's channels do.
func checkEvent(h http.Header) error {
	if h.Get("Ce-Specversion") != "1.0" {
		return fmt.Errorf("specversion is %q, not 1.0: this channel takes events in binary mode only", h.Get("Ce-Specversion"))
	}
	for _, name := range []string{"Id", "Source", "Type"} {
		if h.Get("Ce-"+name) == "" {
			return fmt.Errorf("the event has no %s", strings.ToLower(name))
		}
	}
	if schema := h.Get("Ce-Dataschema"); schema != "" {
		if u, err := url.Parse(schema); err != nil || !u.IsAbs() {
			return fmt.Errorf("dataschema is %q, not an absolute URI", schema)
		}
	}
	return nil
}

// traced are the headers by which a trace goes on.
var traced = []string{"Traceparent", "Tracestate"}

// of makes e the reply to another event: the trace goes on with it, although responses do not name it.
func (e *event) of(cause *event) *event {
	for _, name := range traced {
		if values := cause.Header.Values(name); len(values) > 0 {
			e.Header[name] = values
		}
	}
	return e
}

// mostErrorData is how much Knative keeps of the body of the response that ended the delivery.
const mostErrorData = 1024

// failed is the event with the attributes by which Knative reports to a dead-letter sink what failed.
func (e *event) failed(destination string, f *failure) *event {
	dead := *e
	dead.Header = e.Header.Clone()
	dead.Header.Set("Ce-Knativeerrordest", destination)
	dead.Header.Set("Ce-Knativeerrorcode", strconv.Itoa(f.status))
	if data := base64.StdEncoding.EncodeToString(f.body); data != "" {
		dead.Header.Set("Ce-Knativeerrordata", data[:min(len(data), mostErrorData)])
	}
	return &dead
}
