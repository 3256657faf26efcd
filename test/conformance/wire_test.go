package conformance_test

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"

	"krt.dev/kn-krt/pkg/runner/event"
	"krt.dev/kn-krt/test/conformance/node"
)

const (
	traceParent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	traceState  = "vendor=1,other=a%41b"
)

func wireCases() []testCase {
	return []testCase{
		{name: "trace: from a gRPC client to every step", run: traceOfGRPC},
		{name: "trace: from a web client and a producer's event", run: traceOfWeb},
		{name: "trace: none without a valid one of the client", run: traceOfNobody},
		{name: "trace: a node continues the header, or the attribute if the header is of another trace", run: traceOfHop},
		{name: "wire: what the entrypoint sends has exactly its attributes", run: entrypointsEvent},
		{name: "wire: what a node sends has exactly its attributes", run: nodesEvent},
		{name: "wire: a node answers with Content-Length and no header it was not asked for", run: nodesAnswer},
		{name: "wire: attributes of ours from outside are dropped", run: outsidersAttributes},
		{name: "wire: a node refuses what is no event", run: nodeRefuses},
		{name: "wire: a reply or an error that comes to a node passes through", run: repliesPassNodes},
		{name: "wire: a node is probed", run: nodeIsProbed},
	}
}

// traced checks that all steps of a reply are of the trace of want, and sampled as
// it is; "" is none.
func (v *version) traced(reply *node.Reply, want string) {
	v.t.Helper()
	require.Len(v.t, reply.GetVisits(), 3)
	for _, visit := range reply.GetVisits() {
		got := event.NewTrace(visit.GetTraceParent(), "")
		require.Equal(v.t, event.NewTrace(want, "").ID(), got.ID(), visit.GetNode())
		if want != "" {
			require.Equal(v.t, want[52:], got.Parent[52:], visit.GetNode())
		}
	}
}

func traceOfGRPC(v *version) {
	in := request("foreign")
	ctx := metadata.AppendToOutgoingContext(v.t.Context(), "traceparent", traceParent, "tracestate", traceState)
	_, err := v.callContext(ctx, "ForeignLast", in)
	require.NoError(v.t, err)
	heard := v.heard(in)[0].Header
	got, err := event.ReadHeader(heard)
	require.NoError(v.t, err)
	require.Equal(v.t, event.Trace{Parent: traceParent, State: traceState}, got.Trace, "the span that the request began with")
	// A proxy that traces puts its own span there, of the same trace.
	require.Equal(v.t, got.Trace.ID(), event.RequestTrace(heard).ID(), "the header of the HTTP request")
	reply, err := v.callContext(ctx, "Three", request("n3"))
	require.NoError(v.t, err)
	v.traced(reply, traceParent)
}

func traceOfWeb(v *version) {
	for path, header := range map[string]http.Header{
		"/conformance.Entrypoint/Three": {"Content-Type": {"application/json"}, "Traceparent": {traceParent}},
		"/workflows/three":              {"Ce-Traceparent": {traceParent}},
		"/workflows/three#header":       {"Traceparent": {traceParent}},
	} {
		if strings.HasPrefix(path, "/workflows") {
			maps.Copy(header, producerHeader("application/json", newID()))
		}
		got, err := v.send(http.MethodPost, v.Web()+path, asJSON(v, request("n3")), header)
		require.NoError(v.t, err)
		require.Equal(v.t, http.StatusOK, got.status, got.body)
		v.traced(fromJSON(v, got.body), traceParent)
	}
}

// traceOfNobody: without a valid trace context of the client no ids are invented.
func traceOfNobody(v *version) {
	for _, parent := range []string{"", "ff" + traceParent[2:], strings.ToUpper(traceParent), traceParent + "-00"} {
		ctx := metadata.AppendToOutgoingContext(v.t.Context(), "traceparent", parent, "tracestate", traceState)
		reply, err := v.callContext(ctx, "Three", request("n3"))
		require.NoError(v.t, err)
		v.traced(reply, "")
	}
}

// traceOfHop posts straight to a node what a channel or a proxy may make of an event.
func traceOfHop(v *version) {
	const (
		hop     = "00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01"
		foreign = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	)
	for _, c := range []struct{ attribute, header, want string }{
		{traceParent, hop, hop},
		{traceParent, foreign, traceParent},
		{traceParent, "ff" + hop[2:], traceParent},
		{"", hop, hop},
	} {
		e := v.nodeEvent(request("n1"))
		e.Trace = event.Trace{Parent: c.attribute}
		got, err := v.post(v.Node("n1"), e, http.Header{"Traceparent": {c.header}})
		require.NoError(v.t, err)
		require.Equal(v.t, http.StatusOK, got.status, got.body)
		reply := &node.Reply{}
		require.NoError(v.t, proto.Unmarshal([]byte(got.body), reply))
		require.Equal(v.t, event.NewTrace(c.want, "").ID(), event.NewTrace(reply.GetVisits()[0].GetTraceParent(), "").ID())
		out, err := event.ReadHeader(got.header)
		require.NoError(v.t, err)
		require.Equal(v.t, e.Trace, out.Trace, "the attribute stays")
	}
}

// attributes are what the entrypoint's event has, no more and no less, for a
// caller that sent no trace context.
func attributes() []string {
	return []string{
		"Ce-Causationid", "Ce-Correlationid", "Ce-Dataschema", "Ce-Id", "Ce-Krtdeadline", "Ce-Krtreply",
		"Ce-Krtworkflow", "Ce-Source", "Ce-Specversion", "Ce-Type",
	}
}

// reported are the attributes of an event that a node has sent.
func reported() []string {
	names := append(attributes(), "Ce-Krtsteps")
	slices.Sort(names)
	return names
}

// heardEvent checks an event as the foreign node got it.
func (v *version) heardEvent(heard node.Heard, source string, names []string) *event.Event {
	v.t.Helper()
	require.Equal(v.t, "HTTP/1.1", heard.Proto)
	require.Positive(v.t, heard.ContentLength, "Content-Length is missing")
	h := heard.Header
	require.Equal(v.t, names, attributesOf(h))
	require.Contains(v.t, []string{"", "1"}, h.Get("Ce-Krtkeep"))
	require.Equal(v.t, "application/protobuf", h.Get("Content-Type"))
	require.Equal(v.t, "1.0", h.Get("Ce-Specversion"))
	require.Equal(v.t, "dev.krt.message", h.Get("Ce-Type"))
	require.Equal(v.t, fmt.Sprintf("/krt/%s/%s/%s", v.Namespace(), v.Version(), source), h.Get("Ce-Source"))
	require.Equal(v.t, "https://type.googleapis.com/conformance.Request", h.Get("Ce-Dataschema"))
	_, err := time.Parse(time.RFC3339Nano, h.Get("Ce-Krtdeadline"))
	require.NoError(v.t, err)
	require.Len(v.t, h.Get("Ce-Correlationid"), 32)
	e, err := event.ReadHeader(h)
	require.NoError(v.t, err)
	return e
}

// attributesOf returns the names of the headers that are attributes, sorted, without krtkeep: events have it
// where there is a store, as on a cluster.
func attributesOf(h http.Header) []string {
	var names []string
	for name := range h {
		if strings.HasPrefix(name, "Ce-") && name != "Ce-Krtkeep" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func entrypointsEvent(v *version) {
	in := request("n1")
	_, err := v.call("ForeignFirst", in)
	require.NoError(v.t, err)
	caused := func(name string) bool { return name == "Ce-Causationid" }
	e := v.heardEvent(v.heard(in)[0], "entrypoint", slices.DeleteFunc(attributes(), caused))
	require.Equal(v.t, "foreignfirst", e.Workflow)
	require.NotContains(v.t, e.ReplyToken, "=")
}

func nodesEvent(v *version) {
	in := request("n3")
	reply, err := v.call("ForeignMiddle", in)
	require.NoError(v.t, err)
	e := v.heardEvent(v.heard(in)[0], "n1", reported())
	require.Equal(v.t, "foreignmiddle", e.Workflow)
	require.Equal(v.t, reply.GetVisits()[0].GetRequestId(), e.CorrelationID)
	require.NotEmpty(v.t, e.CausationID)
}

// nodeEvent is an event for a node, as the entrypoint would send one.
func (v *version) nodeEvent(in *node.Request) *event.Event {
	message, data, err := event.Encode(in)
	require.NoError(v.t, err)
	return &event.Event{
		ID: newID(), Source: "/krt/conformance/x/entrypoint", Type: event.TypeMessage, Message: message, Data: data,
		CorrelationID: newID(), Workflow: "one", Deadline: time.Now().Add(time.Hour), ReplyToken: "token",
	}
}

func nodesAnswer(v *version) {
	e := v.nodeEvent(request("n3"))
	got, err := v.post(v.Node("n1"), e, http.Header{
		"Ce-Secret": {"x"}, "X-Request-Id": {"x"}, "Knative-Error-Code": {"1"}, "Authorization": {"Bearer x"}, "Ce-Knativearrivaltime": {"x"},
	})
	require.NoError(v.t, err)
	require.Equal(v.t, http.StatusOK, got.status, got.body)
	delete(got.header, "Date") // HTTP wants it of any server
	require.Equal(v.t, append(reported(), "Content-Length", "Content-Type"), slices.Concat(attributesOf(got.header), othersOf(got.header)))
	out, err := event.ReadHeader(got.header)
	require.NoError(v.t, err)
	require.Equal(v.t, e.ID, out.CausationID)
	require.Equal(v.t, e.CorrelationID, out.CorrelationID)
	require.Equal(v.t, e.ReplyToken, out.ReplyToken)
	require.Equal(v.t, e.Workflow, out.Workflow)
	require.True(v.t, e.Deadline.Equal(out.Deadline))
	again, err := v.post(v.Node("n1"), e, nil)
	require.NoError(v.t, err)
	require.Equal(v.t, out.ID, again.header.Get("Ce-Id"), "an event delivered again is answered by the same id")
}

// othersOf returns the names of the headers that are no attributes, sorted.
func othersOf(h http.Header) []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(h)), func(name string) bool { return strings.HasPrefix(name, "Ce-") })
}

func outsidersAttributes(v *version) {
	in, id := request("n1"), newID()
	header := producerHeader("application/protobuf", id)
	for _, name := range []string{
		"Krtreply", "Krtdeadline", "Krtkeep", "Krtother", "Correlationid", "Causationid", "Knativeerrordest", "Knativearrivaltime", "Ours",
	} {
		header.Set("Ce-"+name, "evil")
	}
	got, err := v.send(http.MethodPost, v.Web()+"/workflows/foreignfirst", asProto(v, in), header)
	require.NoError(v.t, err)
	v.answersEvent(got, id)
	h := v.heard(in)[0].Header
	require.Equal(v.t, attributes(), attributesOf(h))
	require.Equal(v.t, id, h.Get("Ce-Causationid"), "the caller's event caused it")
	for _, name := range append(attributesOf(h), "Ce-Krtkeep") {
		require.NotContains(v.t, h.Get(name), "evil", name)
	}
}

func nodeRefuses(v *version) {
	in := request("n1")
	for name, c := range map[string]struct {
		status int
		change func(http.Header)
	}{
		"no event":           {http.StatusBadRequest, func(h http.Header) { h.Del("Ce-Specversion") }},
		"no id":              {http.StatusBadRequest, func(h http.Header) { h.Del("Ce-Id") }},
		"no message":         {http.StatusBadRequest, func(h http.Header) { h.Del("Ce-Dataschema") }},
		"a deadline of junk": {http.StatusBadRequest, func(h http.Header) { h.Set("Ce-Krtdeadline", "soon") }},
		"no protobuf":        {http.StatusUnsupportedMediaType, func(h http.Header) { h.Set("Content-Type", "text/plain") }},
	} {
		e, header := v.nodeEvent(in), http.Header{}
		e.WriteHeader(header)
		c.change(header)
		got, err := v.send(http.MethodPost, v.Node("n1"), e.Data, header)
		require.NoError(v.t, err)
		require.Equal(v.t, c.status, got.status, "%s: %s", name, got.body)
	}
	large := v.nodeEvent(in)
	large.Data = make([]byte, limit+1)
	got, err := v.post(v.Node("n1"), large, nil)
	require.NoError(v.t, err)
	require.Equal(v.t, http.StatusRequestEntityTooLarge, got.status)
	require.Equal(v.t, []int{0}, v.runs(in, "n1"))
}

func repliesPassNodes(v *version) {
	for _, typ := range []string{event.TypeReply, event.TypeError} {
		in := request("n1")
		e := v.nodeEvent(in)
		e.Type = typ
		got, err := v.post(v.Node("n1"), e, nil)
		require.NoError(v.t, err)
		require.Equal(v.t, http.StatusOK, got.status)
		require.Equal(v.t, string(e.Data), got.body)
		require.Equal(v.t, typ, got.header.Get("Ce-Type"))
		require.Equal(v.t, e.ID, got.header.Get("Ce-Id"))
		require.Equal(v.t, []int{0}, v.runs(in, "n1"))
	}
}

func nodeIsProbed(v *version) {
	for path, want := range map[string]int{"/readyz": http.StatusOK, "/healthz": http.StatusOK, "/elsewhere": http.StatusNotFound} {
		got, err := v.send(http.MethodGet, v.Node("n1")+path, nil, nil)
		require.NoError(v.t, err)
		require.Equal(v.t, want, got.status, path)
		require.Equal(v.t, path == "/readyz", strings.HasSuffix(got.header.Get("Krt-Source"), "/n1"), "who it is: %s", path)
	}
	got, err := v.send(http.MethodGet, v.Node("n1"), nil, nil)
	require.NoError(v.t, err)
	require.Equal(v.t, http.StatusMethodNotAllowed, got.status)
}
