package telemetry

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/protobuf/proto"

	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"

	"krt.dev/kn-krt/pkg/entrypoint/record"
	"krt.dev/kn-krt/pkg/runner/event"
)

func at(ms int) time.Time { return time.UnixMilli(1714979289000 + int64(ms)).UTC() }

func id(n byte) [8]byte { return [8]byte{7: n} }

// request is the record of a request to the node etl, which called with span 2 runs as 3;
// 1 is the request's own, and the client's is in client.
func request(change func(r *record.Record)) *record.Record {
	r := &record.Record{
		ID: "r1", Version: "price-v1", Workflow: "price", Method: "pkg.Service/Price", Protocol: record.GRPC,
		Begin: at(0), End: at(20), Sampled: true, SpanID: id(1),
		ParentID: event.Trace{Parent: client}.Span(), Trace: event.Trace{Parent: client, State: "a=b"}.Child(id(1)),
		Sends: []record.Send{{Node: "etl", Begin: at(1), End: at(18), Attempt: 1, Status: 200, Result: record.ResultOK, SpanID: id(2)}},
		Steps: []record.Step{{Node: "etl", Start: at(2), Wait: 3 * time.Millisecond, Run: 10 * time.Millisecond, SpanID: id(3), Parent: id(2)}},
	}
	if change != nil {
		change(r)
	}
	return r
}

// words are spans, one a line: service, name, kind, times from the beginning in ms, id and
// parent, status, and the attributes that are not of all spans of a kind.
func words(all []*tracepb.ResourceSpans) string {
	var lines []string
	for _, resource := range all {
		for _, s := range resource.ScopeSpans[0].Spans {
			ms := func(ns uint64) int64 { return (int64(ns) - at(0).UnixNano()) / 1e6 }
			line := fmt.Sprintf("%s: %s %s %d-%d %x<%x", valueOf(resource.Resource.Attributes, "service.name"), s.Name,
				strings.TrimPrefix(s.Kind.String(), "SPAN_KIND_"), ms(s.StartTimeUnixNano), ms(s.EndTimeUnixNano), last(s.SpanId), last(s.ParentSpanId))
			if s.Status != nil {
				line += fmt.Sprintf(" %s %q", strings.TrimPrefix(s.Status.Code.String(), "STATUS_CODE_"), s.Status.Message)
			}
			for _, a := range s.Attributes {
				if !slices.Contains(usual, a.Key) {
					line += fmt.Sprintf(" %s=%s", a.Key, valueOf(s.Attributes, a.Key))
				}
			}
			for _, e := range s.Events {
				line += fmt.Sprintf(" [%s %d", e.Name, ms(e.TimeUnixNano))
				for _, a := range e.Attributes {
					line += fmt.Sprintf(" %s=%s", a.Key, valueOf(e.Attributes, a.Key))
				}
				line += "]"
			}
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "\n")
}

var usual = []string{"rpc.method", "krt.version", "krt.workflow", "krt.request_id", "krt.protocol", "rpc.system.name", "krt.node",
	"messaging.system", "messaging.operation.name", "messaging.operation.type", "messaging.destination.name",
	"cloudevents.event_id", "cloudevents.event_type"}

func last(span []byte) []byte {
	if len(span) == 0 {
		return []byte("-")
	}
	return span[7:]
}

func valueOf(attributes []*commonpb.KeyValue, key string) string {
	for _, a := range attributes {
		if a.Key == key {
			switch v := a.Value.Value.(type) {
			case *commonpb.AnyValue_StringValue:
				return v.StringValue
			case *commonpb.AnyValue_IntValue:
				return fmt.Sprint(v.IntValue)
			case *commonpb.AnyValue_BoolValue:
				return fmt.Sprint(v.BoolValue)
			}
		}
	}
	return ""
}

const (
	sent    = "price-v1-entrypoint: send etl PRODUCER 1-18 02<01 krt.result=ok http.response.status_code=200"
	handled = "price-v1-etl: process etl CONSUMER 2-15 03<02 krt.outcome=ok faas.coldstart=false [handler.start 5]"
	served  = "price-v1-entrypoint: pkg.Service/Price SERVER 0-20 01<31 rpc.status_code=OK"
)

func TestSpans(t *testing.T) {
	for name, c := range map[string]struct {
		change func(r *record.Record)
		want   []string
	}{
		"a request":          {nil, []string{served, sent, handled}},
		"not sampled":        {func(r *record.Record) { r.SpanID = id(0) }, nil},
		"a trace of its own": {func(r *record.Record) { r.ParentID = id(0) }, []string{strings.Replace(served, "<31", "<2d", 1), sent, handled}},
		"an event": {func(r *record.Record) { r.Protocol, r.Causation, r.Async = record.CloudEvent, "c", true },
			[]string{served + " krt.async=true", sent, handled}},
		"a retry by the shortcut": {func(r *record.Record) {
			again := r.Sends[0]
			again.Begin, again.Attempt, again.SpanID, again.Shortcut = at(1), 2, id(4), true
			r.Sends[0].End, r.Sends[0].Status, r.Sends[0].Result, r.Sends[0].Error = at(1), 503, record.ResultRetried, "responded with HTTP 503"
			r.Sends, r.Steps[0].Parent = append(r.Sends, again), id(4)
		}, []string{
			served,
			`price-v1-entrypoint: send etl PRODUCER 1-1 02<01 ERROR "responded with HTTP 503" ` +
				`krt.result=retried http.response.status_code=503 error.type=503`,
			strings.Replace(sent, "02<01", "04<01", 1) + " http.request.resend_count=1 krt.shortcut=true",
			strings.Replace(handled, "<02", "<04", 1),
		}},
		"an error of a handler": {func(r *record.Record) {
			r.Code, r.Reason, r.Node, r.Error = code.Code_INTERNAL, event.ReasonHandlerError, "etl", "error in 'etl': x\xff"
			r.Steps[0].Outcome, r.Steps[0].Cold = event.OutcomeError, true
		}, []string{
			`price-v1-entrypoint: pkg.Service/Price SERVER 0-20 01<31 ERROR "error in 'etl': x` + "\uFFFD" + `" rpc.status_code=INTERNAL ` +
				`error.type=INTERNAL krt.reason=HANDLER_ERROR krt.failed_node=etl`,
			sent,
			`price-v1-etl: process etl CONSUMER 2-15 03<02 ERROR "error in 'etl': x` + "\uFFFD" + `" krt.outcome=error faas.coldstart=true ` +
				`error.type=HANDLER_ERROR [handler.start 5] [exception 15 exception.type=HANDLER_ERROR exception.message=error in 'etl': x` + "\uFFFD]",
		}},
		"the client's fault": {func(r *record.Record) {
			r.Code, r.Error = code.Code_INVALID_ARGUMENT, "no"
			r.Sends, r.Steps = nil, nil
		},
			[]string{"price-v1-entrypoint: pkg.Service/Price SERVER 0-20 01<31 rpc.status_code=INVALID_ARGUMENT error.type=INVALID_ARGUMENT"}},
		"a node that cannot be reached": {func(r *record.Record) {
			r.Code, r.Error, r.Steps = code.Code_UNAVAILABLE, "gone", nil
			r.Sends[0].Status, r.Sends[0].Result, r.Sends[0].Error = 0, record.ResultGaveUp, "refused"
		}, []string{
			`price-v1-entrypoint: pkg.Service/Price SERVER 0-20 01<31 ERROR "gone" rpc.status_code=UNAVAILABLE error.type=UNAVAILABLE`,
			`price-v1-entrypoint: send etl PRODUCER 1-18 02<01 ERROR "refused" krt.result=gave_up error.type=_OTHER`,
		}},
		"a Sequence whose POST is open": {func(r *record.Record) {
			r.Sends[0].Node, r.Sends[0].Status = "", 0
		}, []string{served, "price-v1-entrypoint: send price PRODUCER 1-18 02<01 krt.result=ok", handled}},
		"a stream": {func(r *record.Record) { r.Streamed, r.Messages, r.FirstMessage = true, 100, at(7) },
			[]string{served + " krt.stream.messages=100 [first message 7]", sent, handled}},
		"a stream without messages": {func(r *record.Record) { r.Streamed = true }, []string{served + " krt.stream.messages=0", sent, handled}},
		"an early reply of a handler that goes on": {func(r *record.Record) {
			r.Early, r.Continued, r.Steps[0].Outcome, r.Sends = record.EarlyReply, true, event.OutcomeReply, nil
		}, []string{served + " krt.early=reply"}},
		"an early reply of which no more is known": {func(r *record.Record) {
			r.Early, r.Steps[0].Outcome, r.Sends = record.EarlyReply, event.OutcomeReply, nil
		}, []string{served + " krt.early=reply", strings.Replace(handled, "outcome=ok", "outcome=reply", 1)}},
		"an early reply, and the end of its handler": {func(r *record.Record) {
			ended := r.Steps[0]
			r.Steps[0].Outcome = event.OutcomeReply
			r.Early, r.Continued, r.Steps = record.EarlyReply, true, append(r.Steps, ended)
		}, []string{served + " krt.early=reply", sent, handled}},
		"the work behind it": {func(r *record.Record) { r.Early, r.Background = record.EarlyReply, true },
			[]string{sent, handled}},
		"the work behind it, of a node that died": {func(r *record.Record) {
			r.Early, r.Background, r.Code = record.EarlyReply, true, code.Code_UNAVAILABLE
			r.Steps[0].Outcome = event.OutcomeReply
			r.Steps, r.Unended = nil, r.Steps
		}, []string{sent, strings.Replace(handled, "outcome=ok", "outcome=reply", 1)}},
		"a runner that does not report who called it": {func(r *record.Record) { r.Steps[0].Parent = id(0) }, []string{served, sent, handled}},
		"one that reports itself":                     {func(r *record.Record) { r.Steps[0].Parent = id(3) }, []string{served, sent, handled}},
		"one that was called by Knative": {func(r *record.Record) { r.Steps[0].Parent = id(9) },
			[]string{served, sent, strings.Replace(handled, "<02", "<09", 1)}},
		"one of whose sending nothing is known": {func(r *record.Record) { r.Steps[0].Parent, r.Sends = id(0), nil },
			[]string{served, strings.Replace(handled, "<02", "<01", 1)}},
	} {
		t.Run(name, func(t *testing.T) {
			r := request(c.change)
			got := Spans(Process{}, r)
			require.Equal(t, strings.Join(c.want, "\n"), words(got))
			for _, resource := range got {
				_, err := proto.Marshal(resource)
				require.NoError(t, err, "it is valid UTF-8")
			}
			if len(got) > 0 {
				require.Equal(t, total(got), count(r))
			}
		})
	}
}

func TestWhatAllSpansHave(t *testing.T) {
	spans := map[string]*tracepb.Span{}
	all := Spans(Process{}, request(nil), request(func(r *record.Record) { r.Version = "price-v2" }))
	require.Len(t, all, 4, "two services of each version")
	for _, resource := range all[:2] {
		require.Equal(t, scope, resource.ScopeSpans[0].Scope.Name)
		for _, s := range resource.ScopeSpans[0].Spans {
			require.Equal(t, "0af7651916cd43dd8448eb211c80319c", hex.EncodeToString(s.TraceId))
			require.Equal(t, "a=b", s.TraceState)
			require.Equal(t, "r1", valueOf(s.Attributes, "krt.request_id"))
			require.Equal(t, "price", valueOf(s.Attributes, "krt.workflow"))
			spans[s.Name] = s
		}
	}
	require.Equal(t, []uint32{0x301, 0x101, 0x301},
		[]uint32{spans["pkg.Service/Price"].Flags, spans["send etl"].Flags, spans["process etl"].Flags})
	for name, want := range map[string]map[string]string{
		"pkg.Service/Price": {"rpc.system.name": "grpc", "rpc.method": "pkg.Service/Price", "krt.version": "price-v1", "krt.protocol": "grpc"},
		"send etl": {"messaging.system": "knative", "messaging.operation.name": "send", "messaging.operation.type": "send",
			"messaging.destination.name": "etl", "cloudevents.event_id": "r1"},
		"process etl": {"messaging.system": "knative", "messaging.operation.name": "process", "messaging.operation.type": "process",
			"messaging.destination.name": "etl", "cloudevents.event_type": "dev.krt.message", "krt.node": "etl"},
	} {
		for key, value := range want {
			require.Equal(t, value, valueOf(spans[name].Attributes, key), "%s: %s", name, key)
		}
	}
}

func TestTextsOfErrorsAreBounded(t *testing.T) {
	long := strings.Repeat("ä", 4096)
	for _, resource := range Spans(Process{}, request(func(r *record.Record) {
		r.Code, r.Node, r.Error, r.Steps[0].Outcome = code.Code_INTERNAL, "etl", long, event.OutcomeError
		r.Sends[0].Result, r.Sends[0].Error = record.ResultGaveUp, long
	})) {
		for _, s := range resource.ScopeSpans[0].Spans {
			require.Len(t, s.Status.Message, maxText+len("…"))
		}
	}
}

func TestResources(t *testing.T) {
	about := Process{Namespace: "prod", Pod: "price-v1-entrypoint-x"}
	attributes := func(p Process, node string) string {
		var all []string
		for _, a := range p.resource(service{"price-v1", node}).Attributes {
			all = append(all, a.Key+"="+a.Value.GetStringValue())
		}
		return strings.Join(all, ",")
	}
	const common = "service.namespace=prod,service.version=price-v1,krt.version=price-v1"
	require.Equal(t, "service.name=price-v1-entrypoint,"+common+",k8s.namespace.name=prod,"+
		"service.instance.id=price-v1-entrypoint-x,k8s.pod.name=price-v1-entrypoint-x", attributes(about, ""))
	require.Equal(t, "service.name=price-v1-etl,"+common+",krt.node=etl,k8s.namespace.name=prod", attributes(about, "etl"))
	require.Equal(t, "service.name=price-v1-entrypoint,"+common+",service.instance.id=i",
		attributes(Process{Namespace: "prod", Instance: "i"}, ""))

	about.Name = "mine"
	about.Attributes = []Attribute{{"service.name", "lost"}, {"service.version", "7"}, {"k8s.pod.name", "p"}, {"team", "ml"}}
	require.Equal(t, "service.name=mine,service.namespace=prod,service.version=7,krt.version=price-v1,k8s.namespace.name=prod,"+
		"service.instance.id=price-v1-entrypoint-x,k8s.pod.name=p,team=ml", attributes(about, ""))
	require.Equal(t, "service.name=price-v1-etl,service.namespace=prod,service.version=7,krt.version=price-v1,krt.node=etl,"+
		"k8s.namespace.name=prod,team=ml", attributes(about, "etl"))
}

func TestParseAttributes(t *testing.T) {
	got, err := parseAttributes(" team = ml ,a=b%2Cc,, empty=,x=y=z")
	require.NoError(t, err)
	require.Equal(t, []Attribute{{"team", "ml"}, {"a", "b,c"}, {"empty", ""}, {"x", "y=z"}}, got)
	for list, want := range map[string]string{
		"team":                     `"team" is not of the form key=value`,
		"\xff=x":                   `"\xff=x" is not of the form key=value`,
		"=x":                       `"=x" is not of the form key=value`,
		"a=%zz":                    `a: invalid URL escape "%zz"`,
		strings.Repeat("a=b,", 65): "it has more than 64 attributes",
	} {
		_, err := parseAttributes(list)
		require.EqualError(t, err, want)
	}
}
