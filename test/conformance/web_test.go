package conformance_test

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"krt.dev/kn-krt/pkg/runner/event"
	"krt.dev/kn-krt/test/conformance/node"
)

func webCases() []testCase {
	return []testCase{
		{name: "web: JSON", run: callsWeb("application/json", asJSON, fromJSON)},
		{name: "web: Connect", run: callsWeb("application/proto", asProto, fromProto)},
		{name: "web: gRPC-Web", run: callsWeb("application/grpc-web+proto", asFrame, fromFrame)},
		{name: "web: an error in JSON, with its details", run: webError},
		{name: "web: a body that is no message is 400 naming the field", run: webBadBody},
		{name: "web: what is not there is 404 naming what is", run: webNotFound},
		{name: "event in: binary, protobuf", run: callsByEvent("application/protobuf", asProto, fromProto)},
		{name: "event in: binary, JSON", run: callsByEvent("application/json", asJSON, fromJSON)},
		{name: "event in: structured", run: callsByStructuredEvent},
		{name: "event in: workflow by path, by krtworkflow, by type", run: eventRoutes},
		{name: "event in: answered at once with respond-async, runs all the same", run: respondAsync},
		{name: "event in: an error is the answer's status", run: eventError},
	}
}

func asJSON(v *version, in *node.Request) []byte {
	text, err := protojson.Marshal(in)
	require.NoError(v.t, err)
	return text
}

func asProto(v *version, in *node.Request) []byte {
	data, err := proto.Marshal(in)
	require.NoError(v.t, err)
	return data
}

// asFrame is a message of gRPC-Web: a flag, its length, itself.
func asFrame(v *version, in *node.Request) []byte {
	return event.AppendFrame(nil, asProto(v, in))
}

func fromJSON(v *version, body string) *node.Reply {
	reply := &node.Reply{}
	require.NoError(v.t, protojson.Unmarshal([]byte(body), reply), body)
	return reply
}

func fromProto(v *version, body string) *node.Reply {
	reply := &node.Reply{}
	require.NoError(v.t, proto.Unmarshal([]byte(body), reply))
	return reply
}

func fromFrame(v *version, body string) *node.Reply {
	require.Greater(v.t, len(body), 5)
	size := binary.BigEndian.Uint32([]byte(body[1:5]))
	require.Contains(v.t, strings.ToLower(body[5+size:]), "grpc-status: 0")
	return fromProto(v, body[5:5+size])
}

type (
	encode func(*version, *node.Request) []byte
	decode func(*version, string) *node.Reply
)

func callsWeb(contentType string, to encode, from decode) func(*version) {
	return func(v *version) {
		in := request("n3")
		in.Payload = []byte("\x00 bytes \xff")
		header := http.Header{"Content-Type": {contentType}}
		if contentType == "application/proto" {
			header.Set("Connect-Protocol-Version", "1")
		}
		got, err := v.send(http.MethodPost, v.Web()+"/conformance.Entrypoint/Three", to(v, in), header)
		require.NoError(v.t, err)
		require.Equal(v.t, http.StatusOK, got.status, got.body)
		reply := from(v, got.body)
		require.Equal(v.t, names(3), visited(reply))
		require.Equal(v.t, in.GetPayload(), reply.GetPayload())
		require.Equal(v.t, ones(3), v.runs(in, names(3)...))
	}
}

func (v *version) json(rpc, body string) httpAnswer {
	got, err := v.send(http.MethodPost, v.Web()+"/conformance.Entrypoint/"+rpc, []byte(body),
		http.Header{"Content-Type": {"application/json"}})
	require.NoError(v.t, err)
	return got
}

func webError(v *version) {
	got := v.json("Three", string(asJSON(v, request("n3", order("n2", node.Act_FAIL, "no such room")))))
	require.Equal(v.t, http.StatusInternalServerError, got.status)
	var failure struct {
		Code, Message string
		Details       []struct{ Type, Value string }
	}
	require.NoError(v.t, json.Unmarshal([]byte(got.body), &failure), got.body)
	require.Equal(v.t, "internal", failure.Code)
	require.Equal(v.t, "error in 'n2': no such room", failure.Message)
	require.Len(v.t, failure.Details, 1)
	require.Equal(v.t, "google.rpc.ErrorInfo", failure.Details[0].Type)
}

func webBadBody(v *version) {
	got := v.json("Three", `{"id": "x", "lastt": "n3"}`)
	require.Equal(v.t, http.StatusBadRequest, got.status)
	require.Contains(v.t, got.body, "lastt")
	header := producerHeader("application/json", newID())
	got, err := v.send(http.MethodPost, v.Web()+"/workflows/three", []byte(`{"payload": 7}`), header)
	require.NoError(v.t, err)
	require.Equal(v.t, http.StatusBadRequest, got.status)
	require.Contains(v.t, got.body, "payload")
}

func webNotFound(v *version) {
	got := v.json("Nine", `{}`)
	require.Equal(v.t, http.StatusNotFound, got.status)
	require.Contains(v.t, got.body, "/conformance.Entrypoint/Three")
	got, err := v.send(http.MethodPost, v.Web()+"/workflows/nine", nil, producerHeader("application/json", newID()))
	require.NoError(v.t, err)
	require.Equal(v.t, http.StatusNotFound, got.status)
	require.Contains(v.t, got.body, "three")
}

// producerHeader are the headers of a producer's event in binary mode.
func producerHeader(contentType, id string) http.Header {
	return http.Header{
		"Content-Type": {contentType}, "Ce-Specversion": {"1.0"}, "Ce-Type": {"com.example.asked"},
		"Ce-Source": {"/producer"}, "Ce-Id": {id},
	}
}

// answersEvent checks the attributes of the answer to a producer's event.
func (v *version) answersEvent(got httpAnswer, id string) {
	v.t.Helper()
	require.Equal(v.t, http.StatusOK, got.status, got.body)
	require.Equal(v.t, "conformance.Reply", got.header.Get("Ce-Type"))
	require.Equal(v.t, id, got.header.Get("Ce-Causationid"))
	require.Equal(v.t, fmt.Sprintf("/krt/%s/%s/entrypoint", v.Namespace(), v.Version()), got.header.Get("Ce-Source"))
	require.Equal(v.t, "1.0", got.header.Get("Ce-Specversion"))
	for name := range got.header {
		require.False(v.t, strings.HasPrefix(name, "Ce-Krt"), "%s reaches the outside", name)
	}
}

func callsByEvent(contentType string, to encode, from decode) func(*version) {
	return func(v *version) {
		in, id := request("n3"), newID()
		got, err := v.send(http.MethodPost, v.Web()+"/workflows/three", to(v, in), producerHeader(contentType, id))
		require.NoError(v.t, err)
		v.answersEvent(got, id)
		require.Equal(v.t, contentType, got.header.Get("Content-Type"))
		require.Equal(v.t, names(3), visited(from(v, got.body)))
		require.Equal(v.t, ones(3), v.runs(in, names(3)...))
	}
}

func callsByStructuredEvent(v *version) {
	in, id := request("n3"), newID()
	for contentType, data := range map[string]map[string]any{
		"application/json":     {"data": json.RawMessage(asJSON(v, in))},
		"application/protobuf": {"data_base64": base64.StdEncoding.EncodeToString(asProto(v, in))},
	} {
		envelope := map[string]any{
			"specversion": "1.0", "type": "com.example.asked", "source": "/producer", "id": id, "datacontenttype": contentType,
		}
		for name, value := range data {
			envelope[name] = value
		}
		body, err := json.Marshal(envelope)
		require.NoError(v.t, err)
		got, err := v.send(http.MethodPost, v.Web()+"/workflows/three", body, http.Header{"Content-Type": {"application/cloudevents+json"}})
		require.NoError(v.t, err)
		require.Equal(v.t, http.StatusOK, got.status, got.body)
		require.True(v.t, strings.HasPrefix(got.header.Get("Content-Type"), "application/cloudevents+json"))
		var answer struct {
			Type, CausationID string
			Data              json.RawMessage
			Data64            []byte `json:"data_base64"`
		}
		require.NoError(v.t, json.Unmarshal([]byte(got.body), &answer), got.body)
		require.Equal(v.t, "conformance.Reply", answer.Type)
		require.Equal(v.t, id, answer.CausationID)
		if answer.Data64 != nil {
			require.Equal(v.t, names(3), visited(fromProto(v, string(answer.Data64))))
		} else {
			require.Equal(v.t, names(3), visited(fromJSON(v, string(answer.Data))))
		}
	}
}

func eventRoutes(v *version) {
	for name, route := range map[string]struct {
		path string
		set  http.Header
		want []string
	}{
		"the path wins":             {"/workflows/one", http.Header{"Ce-Krtworkflow": {"three"}}, names(1)},
		"then krtworkflow":          {"/", http.Header{"Ce-Krtworkflow": {"three"}, "Ce-Type": {"one"}}, names(3)},
		"then type, the workflow's": {"/", http.Header{"Ce-Type": {"one"}}, names(1)},
		"or the rpc's full name":    {"/", http.Header{"Ce-Type": {"conformance.Entrypoint.Three"}}, names(3)},
	} {
		header := producerHeader("application/protobuf", newID())
		for attribute, value := range route.set {
			header[attribute] = value
		}
		in := request(route.want[len(route.want)-1])
		got, err := v.send(http.MethodPost, v.Web()+route.path, asProto(v, in), header)
		require.NoError(v.t, err)
		require.Equal(v.t, http.StatusOK, got.status, "%s: %s", name, got.body)
		require.Equal(v.t, route.want, visited(fromProto(v, got.body)), name)
	}
	got, err := v.send(http.MethodPost, v.Web()+"/", nil, producerHeader("application/protobuf", newID()))
	require.NoError(v.t, err)
	require.Equal(v.t, http.StatusNotFound, got.status, "a type that is nothing here, and several workflows")
}

func respondAsync(v *version) {
	gate := v.newGate("n2")
	in := request("n3", order("n2", node.Act_WAIT, gate))
	header := producerHeader("application/protobuf", newID())
	header.Set("Prefer", "respond-async, wait=10")
	got, err := v.send(http.MethodPost, v.Web()+"/workflows/three", asProto(v, in), header)
	require.NoError(v.t, err)
	require.Equal(v.t, http.StatusAccepted, got.status, got.body)
	require.Empty(v.t, got.body)
	v.awaitRuns(in, "n2", 1)
	v.openGate("n2", gate)
	v.settle()
	require.Equal(v.t, ones(3), v.runs(in, names(3)...))
}

func eventError(v *version) {
	in := request("n3", order("n2", node.Act_FAIL, "no such room"))
	got, err := v.send(http.MethodPost, v.Web()+"/workflows/three", asJSON(v, in), producerHeader("application/json", newID()))
	require.NoError(v.t, err)
	require.Equal(v.t, http.StatusInternalServerError, got.status)
	require.Contains(v.t, got.body, "error in 'n2': no such room")
	require.Contains(v.t, got.body, "HANDLER_ERROR")
}
