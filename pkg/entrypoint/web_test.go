package entrypoint_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/grpc/health/grpc_health_v1"
	v1 "google.golang.org/grpc/reflection/grpc_reflection_v1"
	v1alpha "google.golang.org/grpc/reflection/grpc_reflection_v1alpha"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/structpb"

	"krt.dev/kn-krt/pkg/entrypoint/describe"
	"krt.dev/kn-krt/pkg/runner/event"
)

// reply is an HTTP response read to its end.
type reply struct {
	status int
	header http.Header
	body   string
}

// request sends an HTTP request with headers given as name, value pairs.
func (f *fixture) request(method, url, body string, headers ...string) reply {
	f.t.Helper()
	req, err := http.NewRequestWithContext(f.t.Context(), method, url, strings.NewReader(body))
	require.NoError(f.t, err)
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	require.NoError(f.t, err)
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	require.NoError(f.t, err)
	return reply{res.StatusCode, res.Header, string(text)}
}

func served(t *testing.T) *fixture {
	f := newFixture(t)
	return f.serve(f.version(node(t, "a", f.says("a", false)), node(t, "b", f.says("b", true))), quick())
}

func TestJSONCallsAnRpc(t *testing.T) {
	f := served(t)
	for name, headers := range map[string][]string{
		"plain JSON":        {"Content-Type", "application/json"},
		"with a charset":    {"Content-Type", "application/json; charset=utf-8"},
		"as curl -d sends":  {"Content-Type", "application/x-www-form-urlencoded"},
		"Connect's own way": {"Content-Type", "application/json", "Connect-Protocol-Version", "1"},
	} {
		t.Run(name, func(t *testing.T) {
			got := f.request(http.MethodPost, f.web+"/test.Entrypoint/Call", `{"text":"hello"}`, headers...)
			require.Equal(t, http.StatusOK, got.status, got.body)
			require.JSONEq(t, `{"text":"hello>a>b","payload":""}`, got.body)
			require.Equal(t, "application/json", got.header.Get("Content-Type"))
		})
	}
}

func TestABadJSONBodyNamesTheField(t *testing.T) {
	f := served(t)
	got := f.request(http.MethodPost, f.web+"/test.Entrypoint/Call", `{"text":"x","countt":3}`, "Content-Type", "application/json")
	require.Equal(t, http.StatusBadRequest, got.status, got.body)
	require.Contains(t, got.body, `countt`)
	require.Contains(t, got.body, "invalid_argument")
	got = f.request(http.MethodPost, f.web+"/test.Entrypoint/Call", `{"text":`, "Content-Type", "application/json")
	require.Equal(t, http.StatusBadRequest, got.status, got.body)
}

func TestATooLargeBodyIsRefused(t *testing.T) {
	f := newFixture(t)
	o := quick()
	o.MaxMessageBytes = 1000
	f.serve(f.version(node(t, "a", f.says("a", true))), o)
	body := fmt.Sprintf(`{"text":%q}`, strings.Repeat("x", 3000))
	got := f.request(http.MethodPost, f.web+"/test.Entrypoint/Call", body, "Content-Type", "application/json")
	require.Equal(t, http.StatusRequestEntityTooLarge, got.status, got.body)
	require.Contains(t, got.body, "resource_exhausted")
	got = f.request(http.MethodPost, f.web+"/workflows/flow", strings.Repeat("x", 2000), binaryEvent("flow", "application/protobuf")...)
	require.Equal(t, http.StatusRequestEntityTooLarge, got.status, got.body)
	got = f.request(http.MethodPost, f.web+"/workflows/flow", strings.Repeat("x", 200_000), binaryEvent("flow", "application/protobuf")...)
	require.Equal(t, http.StatusRequestEntityTooLarge, got.status, got.body)
}

func TestAFailureReachesWebCallers(t *testing.T) {
	f := newFixture(t)
	f.serve(f.version(node(t, "a", func(_ context.Context, in *event.Event) (int, *event.Event) {
		f.post("/reply", in.Fail("/krt/test/v1/a", event.Failure{Code: code.Code_INTERNAL, Reason: event.ReasonHandlerError,
			Text: "error in 'a': boom", Node: "a"}))
		return http.StatusAccepted, nil
	})), quick())
	got := f.request(http.MethodPost, f.web+"/test.Entrypoint/Call", `{}`, "Content-Type", "application/json")
	require.Equal(t, http.StatusInternalServerError, got.status)
	require.Contains(t, got.body, `"message":"error in 'a': boom"`)
	require.Contains(t, got.body, "google.rpc.ErrorInfo")
	got = f.request(http.MethodPost, f.web+"/workflows/flow", `{}`, binaryEvent("flow", "application/json")...)
	require.Equal(t, http.StatusInternalServerError, got.status)
	require.Contains(t, got.body, "error in 'a': boom")
	require.Contains(t, got.body, "HANDLER_ERROR")
}

func TestGRPCWebCallsAnRpc(t *testing.T) {
	f := served(t)
	message := f.text("test.Request", "hello")
	frame := append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(message))), message...)
	got := f.request(http.MethodPost, f.web+"/test.Entrypoint/Call", string(frame), "Content-Type", "application/grpc-web+proto")
	require.Equal(t, http.StatusOK, got.status)
	size := binary.BigEndian.Uint32([]byte(got.body[1:5]))
	require.Equal(t, "hello>a>b", f.textOf([]byte(got.body[5:5+size])))
	require.Contains(t, strings.ToLower(got.body[5+size:]), "grpc-status: 0")
}

func binaryEvent(eventType, contentType string, extra ...string) []string {
	return append([]string{"Ce-Specversion", "1.0", "Ce-Id", "my-1", "Ce-Source", "/me", "Ce-Type", eventType, "Content-Type", contentType},
		extra...)
}

func TestABinaryCloudEventCallsAWorkflow(t *testing.T) {
	f := served(t)
	for name, c := range map[string]struct {
		path, eventType string
		extra           []string
	}{
		"by path":          {"/workflows/flow", "anything", nil},
		"by workflow name": {"/", "flow", nil},
		"by rpc":           {"/", "test.Entrypoint.Call", nil},
		"by extension":     {"/", "dev.knative.sources.ping", []string{"Ce-Krtworkflow", "flow"}},
		"the only one":     {"/", "dev.knative.sources.ping", nil},
	} {
		t.Run(name, func(t *testing.T) {
			got := f.request(http.MethodPost, f.web+c.path, `{"text":"hello"}`, binaryEvent(c.eventType, "application/json", c.extra...)...)
			require.Equal(t, http.StatusOK, got.status, got.body)
			require.JSONEq(t, `{"text":"hello>a>b","payload":""}`, got.body)
			require.Equal(t, "test.Reply", got.header.Get("Ce-Type"))
			require.Equal(t, "my-1", got.header.Get("Ce-Causationid"))
			require.Equal(t, "my-1@/me", got.header.Get("Ce-Id"))
			require.Equal(t, "/krt/test/v1/entrypoint", got.header.Get("Ce-Source"))
			for name := range got.header {
				require.False(t, strings.HasPrefix(name, "Ce-Krt"), name)
			}
		})
	}
	t.Run("protobuf", func(t *testing.T) {
		got := f.request(http.MethodPost, f.web+"/workflows/flow", string(f.text("test.Request", "hello")),
			binaryEvent("flow", "application/protobuf")...)
		require.Equal(t, http.StatusOK, got.status, got.body)
		require.Equal(t, "hello>a>b", f.textOf([]byte(got.body)))
		require.Equal(t, "application/protobuf", got.header.Get("Content-Type"))
		require.Equal(t, "https://type.googleapis.com/test.Reply", got.header.Get("Ce-Dataschema"))
	})
}

func TestAStructuredCloudEventIsAnsweredByOne(t *testing.T) {
	f := served(t)
	in := `{"specversion":"1.0","id":"7","source":"/me","type":"flow","datacontenttype":"application/json","data":{"text":"hello"}}`
	got := f.request(http.MethodPost, f.web+"/", in, "Content-Type", "application/cloudevents+json")
	require.Equal(t, http.StatusOK, got.status, got.body)
	require.Equal(t, "application/cloudevents+json", got.header.Get("Content-Type"))
	var out map[string]any
	require.NoError(t, json.Unmarshal([]byte(got.body), &out))
	require.Equal(t, map[string]any{"text": "hello>a>b", "payload": ""}, out["data"])
	require.Equal(t, "test.Reply", out["type"])
	require.Equal(t, "7", out["causationid"])

	body := fmt.Sprintf(`{"specversion":"1.0","id":"7","source":"/me","type":"flow",`+
		`"datacontenttype":"application/protobuf","data_base64":%q}`,
		base64.StdEncoding.EncodeToString(f.text("test.Request", "hi")))
	got = f.request(http.MethodPost, f.web+"/workflows/flow", body, "Content-Type", "application/cloudevents+json")
	require.Equal(t, http.StatusOK, got.status, got.body)
	require.NoError(t, json.Unmarshal([]byte(got.body), &out))
	raw, err := base64.StdEncoding.DecodeString(out["data_base64"].(string))
	require.NoError(t, err)
	require.Equal(t, "hi>a>b", f.textOf(raw))
}

func TestAnEventIsAnsweredAtOnceWhenPreferred(t *testing.T) {
	f := newFixture(t)
	h, begun, release := f.gate("a")
	f.serve(f.version(node(t, "a", h)), quick())
	got := f.request(http.MethodPost, f.web+"/", `{}`, binaryEvent("flow", "application/json", "Prefer", "wait=10, Respond-Async")...)
	require.Equal(t, http.StatusAccepted, got.status)
	require.Equal(t, "respond-async", got.header.Get("Preference-Applied"))
	<-begun
	close(release)
}

func TestABadEventIsRefused(t *testing.T) {
	f := newFixture(t)
	v := f.version(node(t, "a", f.says("a", true)))
	other := v.Workflows[0]
	other.Name, other.Method = "second", f.schema.Methods()[1]
	v.Workflows = append(v.Workflows, other)
	f.serve(v, quick())
	for name, c := range map[string]struct {
		path, body string
		headers    []string
		status     int
		want       string
	}{
		"unknown workflow": {"/workflows/nope", `{}`, binaryEvent("flow", "application/json"), 404,
			`version \"v1\" has no workflow \"nope\"; it has \"flow\", \"second\"`},
		"type of nothing":      {"/", `{}`, binaryEvent("nope", "application/json"), 404, `type \"nope\" is neither a workflow nor an rpc`},
		"rpc without workflow": {"/", `{}`, binaryEvent("test.Entrypoint.Untied", "application/json"), 404, "neither a workflow nor an rpc"},
		"no event":             {"/", `{}`, []string{"Content-Type", "application/json"}, 400, "binary mode requires the headers"},
		"wrong field": {"/workflows/flow", `{"txet":"x"}`, binaryEvent("flow", "application/json"), 400,
			"in JSON: (line 1:2): unknown field"},
		"broken protobuf":      {"/workflows/flow", "\xff\xff", binaryEvent("flow", "application/protobuf"), 400, "is not a test.Request"},
		"another content type": {"/workflows/flow", "<a/>", binaryEvent("flow", "application/xml"), 415, "application/json"},
		"unknown path": {"/nothing/Here", "{}", []string{"Content-Type", "application/json"}, 404,
			"its rpcs are POST /test.Entrypoint/"},
		"an rpc in another form": {"/test.Entrypoint/Call", "a,b", []string{"Content-Type", "text/csv"}, 415,
			`a body of type \"text/csv\" is not supported`},
	} {
		t.Run(name, func(t *testing.T) {
			got := f.request(http.MethodPost, f.web+c.path, c.body, c.headers...)
			require.Equal(t, c.status, got.status, got.body)
			require.Contains(t, got.body, c.want)
		})
	}
}

func TestAnRpcWantsPost(t *testing.T) {
	f := served(t)
	got := f.request(http.MethodPut, f.web+"/test.Entrypoint/Call", "{}", "Content-Type", "application/json")
	require.Equal(t, http.StatusMethodNotAllowed, got.status)
	require.Equal(t, http.MethodPost, got.header.Get("Allow"))
	require.Contains(t, got.body, "/test.Entrypoint/Call must be called with POST, not PUT")
}

func TestThePageSaysWhatThereIs(t *testing.T) {
	f := served(t)
	got := f.request(http.MethodGet, f.web+"/", "")
	require.Equal(t, http.StatusOK, got.status)
	require.Equal(t, "text/html; charset=utf-8", got.header.Get("Content-Type"))
	for _, want := range []string{"<h1>v1</h1>", "test.Entrypoint/Call", "<b>a</b>", `href="/proto/public_input.proto"`,
		"Running on this machine.", "kn-krt invoke flow -d '{", "' --address " + f.grpc + "</pre>"} {
		require.Contains(t, html.UnescapeString(got.body), want)
	}
	got = f.request(http.MethodGet, f.web+"/", "", "Accept", "application/json")
	require.Contains(t, got.body, `"rpc":"test.Entrypoint/Call"`)
	got = f.request(http.MethodGet, f.web+"/proto/public_input.proto", "")
	require.Equal(t, contract, got.body)
	got = f.request(http.MethodGet, f.web+"/proto/", "")
	require.Equal(t, "public_input.proto\nshared/item.proto\n", got.body)
	got = f.request(http.MethodGet, f.web+"/proto/other.proto", "")
	require.Equal(t, http.StatusNotFound, got.status)
}

func TestThePageOnAClusterNamesVersionAndNamespace(t *testing.T) {
	f := newFixture(t)
	o := quick()
	o.Key = bytes.Repeat([]byte{1}, 32)
	f.serve(f.version(node(t, "a", f.says("a", true))), o)
	body := html.UnescapeString(f.request(http.MethodGet, f.web+"/", "").body)
	for _, want := range []string{"Runtime test.", "gRPC, at v1.test:9000 in the cluster, with reflection; from elsewhere:",
		"kn-krt invoke v1 flow -n test -d '{"} {
		require.Contains(t, body, want)
	}
	require.NotContains(t, body, "--address")
}

func TestConnectionsAreRetired(t *testing.T) {
	f := newFixture(t)
	o := quick()
	o.ConnectionAge = time.Nanosecond
	f.serve(f.version(node(t, "a", f.says("a", true))), o)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, f.web+"/proto/", nil)
	require.NoError(t, err)
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer res.Body.Close()
	require.True(t, res.Close, "HTTP/1.1 got no Connection: close")

	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	h2 := &http.Client{Transport: &http.Transport{Protocols: protocols}}
	for range 3 { // GOAWAY is not an error for a client: it reconnects
		res, err := h2.Do(req)
		require.NoError(t, err)
		require.Equal(t, 2, res.ProtoMajor)
		require.NoError(t, res.Body.Close())
	}
}

func TestReflectionShowsTheContract(t *testing.T) {
	f := served(t)
	stream, err := v1.NewServerReflectionClient(f.conn).ServerReflectionInfo(t.Context())
	require.NoError(t, err)
	require.NoError(t, stream.Send(&v1.ServerReflectionRequest{MessageRequest: &v1.ServerReflectionRequest_ListServices{}}))
	list, err := stream.Recv()
	require.NoError(t, err)
	var names []string
	for _, s := range list.GetListServicesResponse().GetService() {
		names = append(names, s.GetName())
	}
	require.Equal(t, []string{"grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection",
		"krt.v1.Version", "test.Entrypoint"}, names)
	for _, symbol := range []string{"test.Entrypoint", "shared.Item", "krt.v1.Version", "grpc.health.v1.Health", "google.protobuf.Struct"} {
		ask := &v1.ServerReflectionRequest_FileContainingSymbol{FileContainingSymbol: symbol}
		require.NoError(t, stream.Send(&v1.ServerReflectionRequest{MessageRequest: ask}))
		file, err := stream.Recv()
		require.NoError(t, err)
		require.NotEmpty(t, file.GetFileDescriptorResponse().GetFileDescriptorProto(), symbol)
	}

	alpha, err := v1alpha.NewServerReflectionClient(f.conn).ServerReflectionInfo(t.Context())
	require.NoError(t, err)
	ask := &v1alpha.ServerReflectionRequest_FileContainingSymbol{FileContainingSymbol: "test.Entrypoint"}
	require.NoError(t, alpha.Send(&v1alpha.ServerReflectionRequest{MessageRequest: ask}))
	file, err := alpha.Recv()
	require.NoError(t, err)
	require.NotEmpty(t, file.GetFileDescriptorResponse().GetFileDescriptorProto())
}

func TestHealthAndDescribe(t *testing.T) {
	f := served(t)
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		for _, service := range []string{"", "test.Entrypoint"} {
			got, err := grpc_health_v1.NewHealthClient(f.conn).Check(t.Context(), &grpc_health_v1.HealthCheckRequest{Service: service})
			require.NoError(c, err)
			require.Equal(c, grpc_health_v1.HealthCheckResponse_SERVING, got.GetStatus())
		}
	}, time.Minute, time.Millisecond)
	out := &structpb.Struct{}
	require.NoError(t, f.conn.Invoke(t.Context(), describe.Path, &emptypb.Empty{}, out))
	require.Equal(t, map[string]any{
		"version": "v1", "namespace": "test", "description": "A test.",
		"workflows": []any{map[string]any{"name": "flow", "rpc": "test.Entrypoint/Call", "input": "test.Request", "output": "test.Reply",
			"nodes": []any{"a", "b"}}},
	}, out.AsMap())
}
