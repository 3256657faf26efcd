package event

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
	"net/http"
	"strings"
)

// MaxTraceState is the longest tracestate that is passed on, in bytes: what W3C
// Trace Context (3.3.1.5) asks for. A longer one is dropped as a whole.
const MaxTraceState = 512

const hexDigits = "0123456789abcdef"

// traceParentLength is the length of a traceparent of version 00:
// 00-<32 hex digits>-<16 hex digits>-<2 hex digits>.
const traceParentLength = 55

// Trace is a W3C trace context: a span of a trace, and what tracing systems add to it.
// The zero Trace means that there is none.
//
// Two of them travel with an event. The HTTP headers traceparent and tracestate
// are of this one request, and proxies on its way may put their own spans there.
// The attributes of the same names ([Event.Trace]) hold the span in which the
// workflow was started (CloudEvents, extension Distributed Tracing) and stay the
// same from step to step.
type Trace struct {
	// Parent is the traceparent, which is valid unless it is empty.
	Parent string
	// State is the tracestate; it may be empty.
	State string
}

// NewTrace returns the trace context of a traceparent and a tracestate, zero if
// the traceparent is not valid (W3C Trace Context, 3.2): no request fails for it, and no
// ids are invented. A traceparent of a version above 00 is read as far as
// 00 goes, and becomes one of version 00. A tracestate is left out if it is longer
// than [MaxTraceState] or not printable ASCII.
func NewTrace(parent, state string) Trace {
	if !validTraceParent(parent) {
		return Trace{}
	}
	if parent[:2] != "00" {
		parent = knownTraceParent(parent)
	}
	if state = strings.Trim(state, " \t"); len(state) > MaxTraceState || !printable(state) {
		state = ""
	}
	return Trace{Parent: parent, State: state}
}

// TraceOf returns the trace context in the values of a request's headers, or
// gRPC metadata, traceparent and tracestate. Several traceparents are not valid; several
// tracestates are one list.
func TraceOf(parents, states []string) Trace {
	if len(parents) != 1 {
		return Trace{}
	}
	return NewTrace(strings.Trim(parents[0], " \t"), strings.Join(states, ","))
}

// RequestTrace returns the trace context in the headers of an HTTP request, without
// regard to the attributes of an event in it.
func RequestTrace(h http.Header) Trace { return TraceOf(h[headerHopParent], h[headerHopState]) }

// Via returns the trace context that the receiver of an event continues; t is that of
// the event, hop that of the HTTP request which brought it. It is hop if both are of
// the same trace, or the event has none; otherwise t, because the header was set by
// something that does not know the event.
func (t Trace) Via(hop Trace) Trace {
	if hop.Parent != "" && (t.Parent == "" || hop.ID() == t.ID()) {
		return hop
	}
	return t
}

// Caller returns the span by which the receiver of an event was called, as far as it is
// recorded; t is that of the event, hop that of the HTTP request which brought it. It is
// the span of the header if the proxy that set it records that one, and continues t;
// otherwise that of t. It is zero unless the request is sampled.
func (t Trace) Caller(hop Trace) (span [8]byte) {
	if t.Parent != "" && !t.Sampled() {
		return span
	}
	if via := t.Via(hop); via.Sampled() {
		t = via
	}
	if t.Sampled() {
		span = t.Span()
	}
	return span
}

// ID returns the trace id, 32 hex digits; "" of the zero Trace.
func (t Trace) ID() string {
	if t.Parent == "" {
		return ""
	}
	return t.Parent[3:35]
}

// SpanID returns the id of t's span, 16 hex digits; "" of the zero Trace.
func (t Trace) SpanID() string {
	if t.Parent == "" {
		return ""
	}
	return t.Parent[36:52]
}

// RootTrace returns the trace context of a sampled span that begins a trace. Neither id
// may be zero.
func RootTrace(trace [16]byte, span [8]byte) Trace {
	var parent [traceParentLength]byte
	copy(parent[:], "00-")
	hex.Encode(parent[3:35], trace[:])
	parent[35] = '-'
	hex.Encode(parent[36:52], span[:])
	copy(parent[52:], "-01")
	return Trace{Parent: string(parent[:])}
}

// Span returns the id of t's span; zero of the zero Trace.
func (t Trace) Span() (id [8]byte) {
	id, _ = readSpan(t.SpanID()) // it is valid, or there is none
	return id
}

// NewSpan returns a random id for a span, which is not zero.
func NewSpan() (id [8]byte) {
	for id == [8]byte{} {
		binary.BigEndian.PutUint64(id[:], rand.Uint64())
	}
	return id
}

// Child returns the trace context of a span that has t as its parent: of the same
// trace, with the same flags. That of the zero Trace is zero.
func (t Trace) Child(span [8]byte) Trace {
	if t.Parent == "" {
		return Trace{}
	}
	var parent [traceParentLength]byte
	copy(parent[:], t.Parent)
	hex.Encode(parent[36:52], span[:])
	return Trace{Parent: string(parent[:]), State: t.State}
}

// Sampled reports whether the span is recorded (the flag sampled of W3C Trace Context).
func (t Trace) Sampled() bool {
	return t.Parent != "" && strings.IndexByte("13579bdf", t.Parent[traceParentLength-1]) >= 0
}

// WithSampled returns t with the flag sampled as given. That of the zero Trace is zero.
func (t Trace) WithSampled(sampled bool) Trace {
	if t.Parent == "" || t.Sampled() == sampled {
		return t
	}
	at := traceParentLength - 1
	digit := strings.IndexByte(hexDigits, t.Parent[at]) ^ 1
	return Trace{Parent: t.Parent[:at] + hexDigits[digit:digit+1], State: t.State}
}

// WriteHeader sets t as the headers of an HTTP request on h; the zero Trace sets
// nothing.
func (t Trace) WriteHeader(h http.Header) {
	if t.Parent == "" {
		return
	}
	h[headerHopParent] = []string{t.Parent}
	if t.State != "" {
		h[headerHopState] = []string{t.State}
	}
}

type traceKey struct{}

// tracedContext is a context with a trace context: context.WithValue would be two
// allocations per step.
type tracedContext struct {
	context.Context
	trace Trace
}

// Value implements context.Context.
func (c *tracedContext) Value(key any) any {
	if key == (traceKey{}) {
		return c
	}
	return c.Context.Value(key)
}

// ContextWithTrace returns a copy of ctx that carries t; ctx itself if t is zero.
func ContextWithTrace(ctx context.Context, t Trace) context.Context {
	if t.Parent == "" {
		return ctx
	}
	return &tracedContext{ctx, t}
}

// ContextTrace returns the trace context that ctx carries, zero if it carries none.
func ContextTrace(ctx context.Context) Trace {
	if c, ok := ctx.Value(traceKey{}).(*tracedContext); ok {
		return c.trace
	}
	return Trace{}
}

// validTraceParent checks the form of a traceparent: of version 00 exactly, of
// another as far as version 00 goes (W3C Trace Context, 4.3). Version ff is invalid.
func validTraceParent(s string) bool {
	if len(s) < traceParentLength || s[2] != '-' || s[35] != '-' || s[52] != '-' {
		return false
	}
	version, trace, span, flags := s[:2], s[3:35], s[36:52], s[53:traceParentLength]
	if version == "ff" || !lowerHex(version) || !validID(trace) || !validID(span) || !lowerHex(flags) {
		return false
	}
	return len(s) == traceParentLength || version != "00" && s[traceParentLength] == '-'
}

// knownTraceParent returns a valid traceparent of a later version as one of
// version 00, whose only flag is sampled.
func knownTraceParent(s string) string {
	flags := "-00"
	if strings.IndexByte("13579bdf", s[traceParentLength-1]) >= 0 {
		flags = "-01"
	}
	return "00" + s[2:52] + flags
}

// validID reports whether s can be the id of a trace or a span: not all zero.
func validID(s string) bool { return lowerHex(s) && strings.Trim(s, "0") != "" }

func lowerHex(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

func printable(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}
