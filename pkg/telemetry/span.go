package telemetry

import (
	"strconv"
	"time"

	"google.golang.org/genproto/googleapis/rpc/code"

	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"

	"krt.dev/kn-krt/pkg/entrypoint/record"
	"krt.dev/kn-krt/pkg/runner/event"
)

// scope is who made the spans.
const scope = "krt.dev/kn-krt"

// Spans returns the spans of requests, one ResourceSpans for each service: the entrypoint
// and each node. A record whose request has no span of its own has none. It depends on its
// arguments alone.
//
// A request is a SERVER span. Below it, each attempt to send its event is a PRODUCER span,
// and each run of a handler a CONSUMER span below the attempt or, where Knative records its
// own spans, below the last of these. A record of the work behind an early reply has no
// SERVER span: that of its request has been returned before. Spans share memory with the
// records, and attributes with each other: neither may be changed.
func Spans(about Process, records ...*record.Record) []*tracepb.ResourceSpans {
	b := batch{about: about, services: map[service]*tracepb.ScopeSpans{}, texts: map[Attribute]*commonpb.KeyValue{}}
	for _, r := range records {
		if r.SpanID != ([8]byte{}) {
			b.add(r)
		}
	}
	return b.all
}

// count returns how many spans r has.
func count(r *record.Record) (n int) {
	if !r.Background {
		n++
	}
	for i := range r.Sends {
		if r.Sends[i].SpanID != ([8]byte{}) {
			n++
		}
	}
	for i := range r.Steps {
		if reported(r, i) {
			n++
		}
	}
	return n + len(r.Unended)
}

// batch collects spans by their service.
type batch struct {
	about    Process
	services map[service]*tracepb.ScopeSpans
	all      []*tracepb.ResourceSpans
	texts    map[Attribute]*commonpb.KeyValue // that there are already: most are the same in many spans
}

// traced is a request whose spans are made.
type traced struct {
	*batch
	*record.Record
	trace []byte             // its id
	id    *commonpb.KeyValue // its own, and its event's
	event *commonpb.KeyValue
}

// service is the entrypoint of a version, or one of its nodes.
type service struct{ version, node string }

// of returns the spans of a service, to be added to.
func (b *batch) of(s service) *tracepb.ScopeSpans {
	spans := b.services[s]
	if spans == nil {
		spans = &tracepb.ScopeSpans{Scope: &commonpb.InstrumentationScope{Name: scope}}
		b.services[s] = spans
		b.all = append(b.all, &tracepb.ResourceSpans{Resource: b.about.resource(s), ScopeSpans: []*tracepb.ScopeSpans{spans}})
	}
	return spans
}

func (b *batch) add(r *record.Record) {
	t, own := traced{b, r, traceID(r), text("krt.request_id", r.ID), text("cloudevents.event_id", r.ID)}, b.of(service{version: r.Version})
	if !r.Background {
		own.Spans = append(own.Spans, t.server())
	}
	for i := range r.Sends {
		if s := &r.Sends[i]; s.SpanID != ([8]byte{}) {
			own.Spans = append(own.Spans, t.producer(s))
		}
	}
	for i := range r.Steps {
		if reported(r, i) {
			t.ran(&r.Steps[i])
		}
	}
	for i := range r.Unended {
		t.ran(&r.Unended[i])
	}
}

// ran adds the span of a handler's run to those of its node.
func (t *traced) ran(s *record.Step) {
	node := t.of(service{t.Version, s.Node})
	node.Spans = append(node.Spans, t.consumer(s))
}

// reported reports whether step i of r is the last that is known of its span. A handler that
// still runs behind its early reply is reported again when it has ended or, if nobody reports
// its end, as unended by the record that follows.
func reported(r *record.Record, i int) bool {
	s := &r.Steps[i]
	for j := i + 1; j < len(r.Steps); j++ {
		if r.Steps[j].SpanID == s.SpanID {
			return false
		}
	}
	return s.Outcome != event.OutcomeReply || !r.Continued
}

// traceID is the id of r's trace.
func traceID(r *record.Record) []byte {
	id := make([]byte, 16)
	for i, text := 0, r.Trace.ID(); i < len(id) && 2*i+2 <= len(text); i++ {
		b, _ := strconv.ParseUint(text[2*i:2*i+2], 16, 8) // it is valid
		id[i] = byte(b)
	}
	return id
}

// Flags of a span (SpanFlags of OTLP): that it is sampled, that it is known where its parent
// is, and that it is in another process.
const (
	flagsLocal  = 0x101
	flagsRemote = 0x301
)

// span is what all spans have in common. The parent may be zero.
func (t *traced) span(id, parent *[8]byte) *tracepb.Span {
	s := &tracepb.Span{TraceId: t.trace, SpanId: id[:], TraceState: t.Trace.State, Flags: flagsRemote}
	if *parent != ([8]byte{}) {
		s.ParentSpanId = parent[:]
	}
	return s
}

// during sets the times of s.
func during(s *tracepb.Span, begin, end time.Time) {
	s.StartTimeUnixNano = uint64(begin.UnixNano())
	s.EndTimeUnixNano = max(uint64(end.UnixNano()), s.StartTimeUnixNano)
}

// server is the span of the request.
func (t *traced) server() *tracepb.Span {
	s := t.span(&t.SpanID, &t.ParentID)
	during(s, t.Begin, t.End)
	s.Name, s.Kind = t.Method, tracepb.Span_SPAN_KIND_SERVER
	s.Attributes = append(make([]*commonpb.KeyValue, 0, 12),
		t.text("rpc.method", t.Method), t.text("rpc.status_code", t.Code.String()), t.text("krt.version", t.Version),
		t.text("krt.workflow", t.Workflow), t.id, t.text("krt.protocol", string(t.Protocol)))
	set := func(key, value string) {
		if value != "" {
			s.Attributes = append(s.Attributes, t.text(key, value))
		}
	}
	set("rpc.system.name", system(t.Protocol))
	if t.Causation != "" {
		s.Attributes = append(s.Attributes, text("cloudevents.event_id", t.Causation))
	}
	set("krt.early", string(t.Early))
	if t.Streamed {
		s.Attributes = append(s.Attributes, number("krt.stream.messages", t.Messages))
	}
	if t.Messages > 0 {
		s.Events = []*tracepb.Span_Event{{Name: "first message", TimeUnixNano: uint64(t.FirstMessage.UnixNano())}}
	}
	if t.Async {
		s.Attributes = append(s.Attributes, truth("krt.async", true))
	}
	if t.Code == code.Code_OK {
		return s
	}
	set("error.type", t.Code.String())
	set("krt.reason", t.Reason)
	set("krt.failed_node", t.Node)
	if ours(t.Code) {
		s.Status = failed(t.Error)
	}
	return s
}

// system is the RPC system of a protocol, empty if it is none's.
func system(p record.Protocol) string {
	switch p {
	case record.GRPC, record.GRPCWeb:
		return "grpc"
	case record.Connect, record.JSON:
		return "connectrpc"
	}
	return ""
}

// ours reports whether a code is an error of the server (semantic conventions of gRPC): the
// others are the client's.
func ours(c code.Code) bool {
	switch c {
	case code.Code_UNKNOWN, code.Code_DEADLINE_EXCEEDED, code.Code_UNIMPLEMENTED,
		code.Code_INTERNAL, code.Code_UNAVAILABLE, code.Code_DATA_LOSS:
		return true
	}
	return false
}

// producer is the span of an attempt to send the event.
func (t *traced) producer(send *record.Send) *tracepb.Span {
	s := t.span(&send.SpanID, &t.SpanID)
	during(s, send.Begin, send.End)
	to := send.Node
	if to == "" {
		to = t.Workflow // its Sequence
	}
	s.Name, s.Kind, s.Flags = "send "+to, tracepb.Span_SPAN_KIND_PRODUCER, flagsLocal
	s.Attributes = append(t.messaging("send", to), t.text("krt.result", string(send.Result)))
	if send.Status != 0 {
		s.Attributes = append(s.Attributes, number("http.response.status_code", send.Status))
	}
	if send.Attempt > 1 {
		s.Attributes = append(s.Attributes, number("http.request.resend_count", send.Attempt-1))
	}
	if send.Shortcut {
		s.Attributes = append(s.Attributes, truth("krt.shortcut", true))
	}
	if send.Result == record.ResultRetried || send.Result == record.ResultGaveUp {
		kind := "_OTHER" // as the semantic conventions of HTTP call it
		if send.Status != 0 {
			kind = strconv.Itoa(send.Status)
		}
		s.Attributes = append(s.Attributes, t.text("error.type", kind))
		s.Status = failed(send.Error)
	}
	return s
}

// consumer is the span of a handler's run. It begins when the event has arrived.
func (t *traced) consumer(step *record.Step) *tracepb.Span {
	begun := step.Start.Add(step.Wait)
	ended := begun.Add(step.Run)
	s := t.span(&step.SpanID, caller(t.Record, step))
	during(s, step.Start, ended)
	s.Name, s.Kind = "process "+step.Node, tracepb.Span_SPAN_KIND_CONSUMER
	s.Attributes = append(t.messaging("process", step.Node),
		t.text("krt.node", step.Node), t.text("krt.outcome", step.Outcome.String()), truth("faas.coldstart", step.Cold))
	s.Events = []*tracepb.Span_Event{{Name: "handler.start", TimeUnixNano: uint64(begun.UnixNano())}}
	if step.Outcome != event.OutcomeError {
		return s
	}
	kind, message := event.ReasonHandlerError, ""
	if t.Node == step.Node {
		kind, message = t.Reason, t.Error
	}
	s.Attributes = append(s.Attributes, t.text("error.type", kind))
	s.Status = failed(message)
	s.Events = append(s.Events, &tracepb.Span_Event{
		Name: "exception", TimeUnixNano: uint64(ended.UnixNano()),
		Attributes: []*commonpb.KeyValue{t.text("exception.type", kind), text("exception.message", readable(message))},
	})
	return s
}

// caller is the parent of a step's span: what the runner reported or, of a runner that does
// not, the last attempt before it, or the request.
func caller(r *record.Record, step *record.Step) *[8]byte {
	if step.Parent != ([8]byte{}) && step.Parent != step.SpanID {
		return &step.Parent
	}
	parent := &r.SpanID
	for i := range r.Sends {
		s := &r.Sends[i]
		if (s.Node == step.Node || s.Node == "") && s.SpanID != ([8]byte{}) && (parent == &r.SpanID || !s.Begin.After(step.Start)) {
			parent = &s.SpanID
		}
	}
	return parent
}

// messaging are the attributes of what is done with an event.
func (t *traced) messaging(operation, destination string) []*commonpb.KeyValue {
	return append(make([]*commonpb.KeyValue, 0, 13),
		t.text("messaging.system", "knative"), t.text("messaging.operation.name", operation), t.text("messaging.operation.type", operation),
		t.text("messaging.destination.name", destination), t.event, t.text("cloudevents.event_type", event.TypeMessage),
		t.text("krt.workflow", t.Workflow), t.id)
}
