package entrypoint_test

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	v1 "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/structpb"

	"krt.dev/kn-krt/pkg/entrypoint"
	"krt.dev/kn-krt/pkg/entrypoint/authentication"
	"krt.dev/kn-krt/pkg/entrypoint/describe"
	"krt.dev/kn-krt/pkg/schema"
)

const apiKey = "a-key-of-the-tests"

// clients is an authentication with one API key and one issuer, and a token of that.
func clients(t *testing.T, workflows ...string) (c authentication.Config, token string) {
	t.Helper()
	folder := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(folder, "ada"), []byte(apiKey), 0o600))
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	issuer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: private.Public(), KeyID: "1"}}})
	}))
	t.Cleanup(issuer.Close)
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: private, KeyID: "1"}}, nil)
	require.NoError(t, err)
	token, err = jwt.Signed(signer).Claims(jwt.Claims{
		Issuer: issuer.URL, Subject: "bob", Audience: jwt.Audience{"tests"}, Expiry: jwt.NewNumericDate(time.Now().Add(time.Hour)),
	}).Serialize()
	require.NoError(t, err)
	return authentication.Config{
		APIKeys: folder, Workflows: workflows,
		JWT: []authentication.Issuer{{Issuer: issuer.URL, Audiences: []string{"tests"}, JWKSURL: issuer.URL}},
	}, token
}

// attempt is a request without a message, in one of the protocols. It returns the gRPC code, and of
// a refusal all that the client got.
type attempt func(f *fixture, headers ...string) (code codes.Code, response string)

// overHTTP is an attempt at a path of the web port.
func overHTTP(method, path, body string, own ...string) attempt {
	return func(f *fixture, headers ...string) (codes.Code, string) {
		res := f.request(method, f.web+path, body, append(slices.Clone(own), headers...)...)
		all := res.header.Get("WWW-Authenticate") + res.body + res.header.Get("Grpc-Message")
		switch {
		case res.status == http.StatusUnauthorized, strings.Contains(all, "grpc-status: 16"), res.header.Get("Grpc-Status") == "16":
			return codes.Unauthenticated, all
		case res.status < 300:
			return codes.OK, all
		}
		return codes.Unknown, fmt.Sprint(res.status, all)
	}
}

func overGRPC(path string) attempt {
	return func(f *fixture, headers ...string) (codes.Code, string) {
		ctx, cancel := context.WithTimeout(metadata.AppendToOutgoingContext(f.t.Context(), headers...), time.Minute)
		defer cancel()
		err := f.conn.Invoke(ctx, path, f.message("test.Request"), f.message("test.Reply"))
		return status.Code(err), status.Convert(err).Message()
	}
}

func eventTo(workflow string, more ...string) attempt {
	return overHTTP(http.MethodPost, workflow, `{}`, append(more, "Content-Type", "application/json",
		"ce-specversion", "1.0", "ce-id", "1", "ce-source", "/me", "ce-type", "flow")...)
}

func describing(f *fixture, headers ...string) (codes.Code, string) {
	err := f.conn.Invoke(metadata.AppendToOutgoingContext(f.t.Context(), headers...), describe.Path, &emptypb.Empty{}, &structpb.Struct{})
	return status.Code(err), status.Convert(err).Message()
}

func reflecting(f *fixture, headers ...string) (codes.Code, string) {
	ctx, cancel := context.WithCancel(metadata.AppendToOutgoingContext(f.t.Context(), headers...))
	defer cancel()
	stream, err := v1.NewServerReflectionClient(f.conn).ServerReflectionInfo(ctx)
	require.NoError(f.t, err)
	_ = stream.Send(&v1.ServerReflectionRequest{MessageRequest: &v1.ServerReflectionRequest_ListServices{}})
	_, err = stream.Recv()
	return status.Code(err), status.Convert(err).Message()
}

// attempts are requests for the workflow flow, and for the contract.
func attempts() (calls, contract map[string]attempt) {
	post, rpc := http.MethodPost, "/test.Entrypoint/Call"
	return map[string]attempt{
			"gRPC":                overGRPC(rpc),
			"gRPC on the web":     overHTTP(post, rpc, "\x00\x00\x00\x00\x00", "Content-Type", "application/grpc-web+proto"),
			"JSON":                overHTTP(post, rpc, `{}`),
			"Connect":             overHTTP(post, rpc, `{}`, "Content-Type", "application/json", "Connect-Protocol-Version", "1"),
			"Connect in protobuf": overHTTP(post, rpc, ``, "Content-Type", "application/proto", "Connect-Protocol-Version", "1"),
			"REST":                overHTTP(post, "/v1/call", `{}`, "Content-Type", "application/json"),
			"REST with GET":       overHTTP(http.MethodGet, "/v1/call/hi", ``),
			"an event":            eventTo("/workflows/flow"),
			"an event in the body": overHTTP(post, "/", `{"specversion":"1.0","id":"1","source":"/me","type":"flow","data":{}}`,
				"Content-Type", "application/cloudevents+json"),
			"an event that nobody waits for": eventTo("/workflows/flow", "Prefer", "respond-async"),
		}, map[string]attempt{
			"describe": describing, "reflection": reflecting,
			"the page": overHTTP(http.MethodGet, "/", ``), "the protos": overHTTP(http.MethodGet, "/proto/public_input.proto", ``),
		}
}

func TestClientsAreAuthenticatedInEveryProtocol(t *testing.T) {
	config, token := clients(t)
	f := newFixture(t)
	o, log := logged()
	f.schema, o.Authentication = annotated(t), config
	f.serve(f.version(node(t, "a", f.says("a", true))), o)
	calls, contract := attempts()
	for name, try := range contract {
		calls[name] = try
	}
	for name, try := range calls {
		t.Run(name, func(t *testing.T) {
			code, text := try(f)
			require.Equal(t, codes.Unauthenticated, code, text)
			require.Contains(t, text, "this requires authentication: send a token in the header authorization")
			for _, wrong := range [][]string{
				{"authorization", "Bearer " + token + "x"}, {"authorization", token}, {"x-api-key", apiKey + "x"},
				{"x-api-key", apiKey + "x", "authorization", "Bearer " + token[:len(token)-8]},
			} {
				code, text = try(f, wrong...)
				require.Equal(t, codes.Unauthenticated, code, text)
				require.NotContains(t, text, apiKey)
				require.NotContains(t, text, token[:20])
			}
			for _, right := range [][]string{{"authorization", "Bearer " + token}, {"x-api-key", apiKey}} {
				code, text = try(f, right...)
				require.Equal(t, codes.OK, code, text)
			}
		})
	}
	health, err := grpc_health_v1.NewHealthClient(f.conn).Check(t.Context(), &grpc_health_v1.HealthCheckRequest{})
	require.NoError(t, err)
	require.Equal(t, grpc_health_v1.HealthCheckResponse_SERVING, health.GetStatus())

	// Refusals are counted, not kept, and credentials are nowhere.
	require.Contains(t, f.metrics(), `krt_requests_total{code="UNAUTHENTICATED",workflow="flow"} 35`)
	kept := f.request(http.MethodGet, f.inspect+"/requests", "").body
	require.NotContains(t, kept, "UNAUTHENTICATED")
	for _, text := range []string{log.String(), kept, f.metrics()} {
		require.NotContains(t, text, apiKey)
		require.NotContains(t, text, token[:20])
	}
	require.Contains(t, log.String(), "a client is not authenticated")
}

func TestSomeWorkflowsRequireAuthentication(t *testing.T) {
	config, _ := clients(t, "flow")
	f, o := newFixture(t), quick()
	// The open workflow has a path below which an annotation of the other one is, too.
	text := strings.NewReplacer(`import "shared/item.proto";`, `import "shared/item.proto"; import "google/api/annotations.proto";`,
		`rpc Call(Request) returns (Reply);`, `rpc Call(Request) returns (Reply) { option (google.api.http) = { get: "/test.Entrypoint/{text}"
			additional_bindings { get: "/v1/call/{text}" } additional_bindings { post: "/v1/call" body: "*" } }; }`).Replace(contract)
	var err error
	f.schema, err = schema.Compile(t.Context(), fstest.MapFS{
		"public_input.proto": {Data: []byte(text)},
		"shared/item.proto":  {Data: []byte("syntax = \"proto3\";\npackage shared;\nmessage Item { string name = 1; }\n")},
	}, "public_input.proto", schema.Options{})
	require.NoError(t, err)
	v := f.version(node(t, "a", f.says("a", true)))
	other, err := f.schema.Method("Other")
	require.NoError(t, err)
	v.Workflows = append(v.Workflows, entrypoint.Workflow{Name: "open", Method: other, Steps: v.Workflows[0].Steps})
	o.Authentication = config
	f.serve(v, o)
	calls, contract := attempts()
	calls["another workflow's path"] = overHTTP(http.MethodGet, "/test.Entrypoint/Other", ``)
	for name, try := range calls {
		code, text := try(f)
		require.Equal(t, codes.Unauthenticated, code, "%s: %s", name, text)
		code, text = try(f, "x-api-key", apiKey)
		require.Equal(t, codes.OK, code, "%s: %s", name, text)
	}
	contract["gRPC"], contract["JSON"] = overGRPC("/test.Entrypoint/Other"), overHTTP(http.MethodPost, "/test.Entrypoint/Other", `{}`)
	contract["an event"] = eventTo("/workflows/open")
	for name, try := range contract {
		for _, headers := range [][]string{nil, {"x-api-key", "wrong"}} {
			code, text := try(f, headers...)
			require.Equal(t, codes.OK, code, "%s: %s", name, text)
		}
	}
}

func TestARefusedBodyIsNotRead(t *testing.T) {
	config, _ := clients(t)
	f, o := newFixture(t), quick()
	o.Authentication = config
	f.serve(f.version(node(t, "a", f.says("a", true))), o)
	for _, path := range []string{"/test.Entrypoint/Call", "/workflows/flow", "/"} {
		conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", strings.TrimPrefix(f.web, "http://"))
		require.NoError(t, err)
		_, err = io.WriteString(conn, "POST "+path+" HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n")
		require.NoError(t, err)
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		require.NoError(t, err)
		require.Equal(t, http.StatusUnauthorized, res.StatusCode)
		require.NoError(t, errors.Join(res.Body.Close(), conn.Close()))
	}
}

func TestBrowsersOfAllowedOriginsMaySendCredentials(t *testing.T) {
	config, token := clients(t)
	f, o := newFixture(t), quick()
	o.Authentication, o.WebOrigins = config, []string{page}
	f.serve(f.version(node(t, "a", f.says("a", true))), o)
	res := f.send(http.MethodOptions, "/test.Entrypoint/Call", "", "Origin", page,
		"Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "authorization,content-type")
	defer res.Body.Close()
	require.Equal(t, http.StatusNoContent, res.StatusCode)
	require.Equal(t, "authorization,content-type", res.Header.Get("Access-Control-Allow-Headers"))
	refused := f.send(http.MethodPost, "/test.Entrypoint/Call", "{}", "Origin", page)
	defer refused.Body.Close()
	require.Equal(t, http.StatusUnauthorized, refused.StatusCode)
	require.Equal(t, page, refused.Header.Get("Access-Control-Allow-Origin"))
	require.Equal(t, `Bearer realm="v1"`, refused.Header.Get("WWW-Authenticate"))
	code, text := overHTTP(http.MethodPost, "/test.Entrypoint/Call", "{}", "Origin", page)(f, "authorization", "Bearer "+token)
	require.Equal(t, codes.OK, code, text)
}

func TestAuthenticationOfAnUnknownWorkflow(t *testing.T) {
	config, _ := clients(t, "folw")
	f, o := newFixture(t), quick()
	o.Authentication = config
	_, err := entrypoint.New(f.version(node(t, "a", f.says("a", true))), o)
	require.EqualError(t, err, `cannot serve version "v1": authentication: it has no workflow "folw"; it has "flow"`)
}
