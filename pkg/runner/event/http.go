package event

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"krt.dev/kn-krt/pkg/runner/clip"
)

// specVersion is the supported version of CloudEvents.
const specVersion = "1.0"

const (
	// maxAttributeBytes limits the value of an attribute. The longest of KRT's is the
	// reply token, below 300 bytes.
	maxAttributeBytes = 2048
	// maxQuoted limits how much of an attribute an error quotes, in bytes.
	maxQuoted = 64
)

// Header names of the attributes, in net/http's canonical form.
const (
	headerSpecVersion   = "Ce-Specversion"
	headerID            = "Ce-Id"
	headerSource        = "Ce-Source"
	headerType          = "Ce-Type"
	headerSchema        = "Ce-Dataschema"
	headerCorrelationID = "Ce-Correlationid"
	headerCausationID   = "Ce-Causationid"
	headerWorkflow      = "Ce-Krtworkflow"
	headerDeadline      = "Ce-Krtdeadline"
	headerReplied       = "Ce-Krtreplied"
	headerReplyToken    = "Ce-Krtreply"
	headerTraceParent   = "Ce-Traceparent"
	headerTraceState    = "Ce-Tracestate"
	headerSteps         = "Ce-Krtsteps"
	headerInspect       = "Ce-Krtinspect"
	headerSize          = "Ce-Krtsize"
	headerMirror        = "Ce-Krtmirror"
	headerStream        = "Ce-Krtstream"
	headerKeep          = "Ce-Krtkeep"
	headerError         = "Ce-Krterror"
	headerContentType   = "Content-Type"
)

// Header names of the trace context of one HTTP request.
const (
	headerHopParent = "Traceparent"
	headerHopState  = "Tracestate"
)

// HeaderSource is, in a node's response to GET /readyz, the source of its events: who it is. See [Source].
const HeaderSource = "Krt-Source"

// ErrNoEvent is returned for headers without a CloudEvent in binary mode. In a response
// it means that the chain ends here.
var ErrNoEvent = errors.New("no CloudEvent in the HTTP headers")

// ErrTooLarge is returned for data that is larger than the limit.
var ErrTooLarge = errors.New("event data too large")

// WriteHeader sets the headers of e in binary mode on h.
func (e *Event) WriteHeader(h http.Header) {
	// One backing array for all values: a slice for each would be a dozen allocations
	// per step.
	values := make([]string, 0, 17)
	set := func(name, value string) {
		if value == "" {
			return
		}
		values = append(values, encode(value))
		h[name] = values[len(values)-1 : len(values) : len(values)]
	}
	set(headerSpecVersion, specVersion)
	set(headerID, e.ID)
	set(headerSource, e.Source)
	set(headerType, e.Type)
	set(headerContentType, ContentType)
	if e.Message != "" {
		set(headerSchema, schemaPrefix+e.Message)
	}
	set(headerCorrelationID, e.CorrelationID)
	set(headerCausationID, e.CausationID)
	set(headerWorkflow, e.Workflow)
	if !e.Deadline.IsZero() {
		set(headerDeadline, e.Deadline.UTC().Format(time.RFC3339Nano))
	}
	if e.Replied {
		set(headerReplied, "1")
	}
	set(headerReplyToken, e.ReplyToken)
	set(headerTraceParent, e.Trace.Parent)
	set(headerTraceState, e.Trace.State)
	set(headerSteps, string(e.Steps))
	if e.Inspect > 0 {
		h[headerInspect] = []string{strconv.Itoa(e.Inspect)}
	}
	if e.Mirror {
		set(headerMirror, "1")
	}
	set(headerKeep, string(e.Keep))
	if !e.Stream.Unary() { // not in values: events of unary rpcs need no room for it
		h[headerStream] = []string{encode(e.Stream.attribute())}
	}
}

// ReadHeader reads the attributes of a binary-mode event from h; Data is left empty.
// The error is ErrNoEvent if h has no event; otherwise it names the attribute that is
// missing or malformed. A trace context that is not valid is left out, krtsteps that is
// too long, and a krtinspect or krtstream that cannot be: they may not fail a request.
func ReadHeader(h http.Header) (*Event, error) {
	version := get(h, headerSpecVersion)
	if version == "" {
		return nil, ErrNoEvent
	}
	if version != specVersion {
		return nil, fmt.Errorf("ce-specversion: %q is not supported, only %q is", clip.Text(version, maxQuoted), specVersion)
	}
	e := &Event{
		Replied: get(h, headerReplied) == "1",
		Trace:   NewTrace(traceAttribute(h, headerTraceParent), traceAttribute(h, headerTraceState)),
		Steps:   ReadSteps(h),
		Inspect: sizeAttribute(h, headerInspect, MostInspected),
		Mirror:  get(h, headerMirror) == "1",
		Keep:    keepAttribute(h),
		Stream:  streamAttribute(h),
	}
	for _, a := range [...]struct {
		header   string
		to       *string
		required bool
	}{
		{headerID, &e.ID, true},
		{headerSource, &e.Source, true},
		{headerType, &e.Type, true},
		{headerSchema, &e.Message, false},
		{headerCorrelationID, &e.CorrelationID, false},
		{headerCausationID, &e.CausationID, false},
		{headerWorkflow, &e.Workflow, false},
		{headerReplyToken, &e.ReplyToken, false},
	} {
		value := get(h, a.header)
		if value == "" && a.required {
			return nil, fmt.Errorf("%s: missing", strings.ToLower(a.header))
		}
		if len(value) > maxAttributeBytes {
			return nil, fmt.Errorf("%s: longer than %d bytes", strings.ToLower(a.header), maxAttributeBytes)
		}
		decoded, err := decode(value)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", strings.ToLower(a.header), err)
		}
		*a.to = decoded
	}
	e.Message = MessageName(e.Message)
	var err error
	if e.Deadline, err = deadlineAttribute(h); err != nil {
		return nil, err
	}
	return e, nil
}

// deadlineAttribute returns the deadline, zero if there is none.
func deadlineAttribute(h http.Header) (time.Time, error) {
	deadline := get(h, headerDeadline)
	if deadline == "" {
		return time.Time{}, nil
	}
	instant, err := time.Parse(time.RFC3339Nano, deadline)
	// An offset can move the time out of the years that RFC 3339 can represent.
	if year := instant.UTC().Year(); err != nil || year < 0 || year > 9999 {
		return time.Time{}, fmt.Errorf("ce-krtdeadline: %q is not a time of RFC 3339", clip.Text(deadline, maxQuoted))
	}
	return instant, nil
}

// WriteHeader sets the attribute alone on h. A node that responds without an event does so,
// because its step would not be reported otherwise.
func (s Steps) WriteHeader(h http.Header) {
	if s != "" {
		h[headerSteps] = []string{encode(string(s))}
	}
}

// ReadSteps returns krtsteps, empty if it is too long or percent-encoded: none of its own
// bytes ever is. An event is not needed.
func ReadSteps(h http.Header) Steps { return checkedSteps(get(h, headerSteps)) }

func checkedSteps(steps string) Steps {
	if len(steps) > maxStepsBytes || strings.IndexByte(steps, '%') >= 0 {
		return ""
	}
	return Steps(steps)
}

// ReadBody reads the data of an event from r. The buffer has the size contentLength if
// that is known (not negative). For data of more than limit bytes the error is
// ErrTooLarge.
func ReadBody(r io.Reader, contentLength, limit int64) ([]byte, error) {
	switch {
	case contentLength > limit:
		return nil, fmt.Errorf("%w: %d bytes, the limit is %d", ErrTooLarge, contentLength, limit)
	case contentLength >= 0:
		data := make([]byte, contentLength)
		_, err := io.ReadFull(r, data)
		return data, err
	}
	data, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err == nil && int64(len(data)) > limit {
		return nil, fmt.Errorf("%w: the limit is %d bytes", ErrTooLarge, limit)
	}
	return data, err
}

func get(h http.Header, canonical string) string {
	if v := h[canonical]; len(v) > 0 {
		return v[0]
	}
	return ""
}

// traceAttribute returns an attribute of the trace context, empty if it cannot be read.
func traceAttribute(h http.Header, canonical string) string {
	value := get(h, canonical)
	if len(value) > maxAttributeBytes {
		return ""
	}
	decoded, err := decode(value)
	if err != nil {
		return ""
	}
	return decoded
}

// encode percent-encodes what the HTTP binding (3.1.3.2) requires: space, double quote,
// percent and everything outside printable ASCII.
func encode(s string) string {
	for i := 0; i < len(s); i++ {
		if mustEncode(s[i]) {
			return encodeFrom(s, i)
		}
	}
	return s
}

func mustEncode(c byte) bool { return plain[c/64]>>(c%64)&1 == 0 }

// plain is the set of bytes that are not encoded, one bit each: a lookup costs a third
// of comparisons, and the reply token is long.
var plain = [4]uint64{
	1<<64 - 1 - (1<<('!') - 1) - 1<<'"' - 1<<'%',
	1<<('~'-63) - 1,
}

func encodeFrom(s string, i int) string {
	var b strings.Builder
	b.WriteString(s[:i])
	for ; i < len(s); i++ {
		if mustEncode(s[i]) {
			fmt.Fprintf(&b, "%%%02X", s[i])
			continue
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

func decode(s string) (string, error) {
	if strings.IndexByte(s, '%') < 0 {
		return s, nil
	}
	return url.PathUnescape(s)
}
