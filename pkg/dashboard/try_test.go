package dashboard

import (
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/reflection"
	reflectionv1 "google.golang.org/grpc/reflection/grpc_reflection_v1"
	rpc "google.golang.org/grpc/status"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	"krt.dev/kn-krt/pkg/dashboard/source"
	"krt.dev/kn-krt/pkg/dashboard/sourcetest"
	"krt.dev/kn-krt/pkg/schema"
)

const breaking = `</textarea></code><script>alert(1)</script>`

// callable serves a version that repeats a request, or fails with its text if that is "fail…", and
// returns its address. The rpc Spell returns its text letter by letter, and waits for next after each.
func callable(t *testing.T, next ...<-chan struct{}) string {
	t.Helper()
	s, err := schema.Compile(t.Context(), fstest.MapFS{"p.proto": {Data: []byte(`syntax = "proto3";
package price;
message House { string text = 1; repeated House rooms = 2; }
service Estimator { rpc Predict(House) returns (House); rpc Spell(House) returns (stream House); }
`)}}, "p.proto", schema.Options{})
	require.NoError(t, err)
	method, err := s.Method("Predict")
	require.NoError(t, err)
	server := grpc.NewServer(grpc.UnknownServiceHandler(func(_ any, stream grpc.ServerStream) error {
		house := dynamicpb.NewMessage(method.Input())
		if err := stream.RecvMsg(house); err != nil {
			return err
		}
		stream.SetTrailer(metadata.Pairs("krt-steps", "model;1;2;3;0000000000000001;ok", "krt-correlation-id", "4f0c"))
		field := method.Input().Fields().Get(0)
		text := house.Get(field).String()
		if name, _ := grpc.MethodFromServerStream(stream); strings.HasSuffix(name, "Spell") {
			for _, letter := range text {
				house.Set(field, protoreflect.ValueOfString(string(letter)))
				if err := stream.SendMsg(house); err != nil {
					return err
				}
				for _, c := range next {
					<-c
				}
			}
		}
		switch {
		case strings.HasPrefix(text, "fail"):
			return rpc.Error(codes.Internal, text)
		case strings.HasPrefix(text, "spell"):
			return nil
		}
		return stream.SendMsg(house)
	}))
	reflectionv1.RegisterServerReflectionServer(server, reflection.NewServerV1(reflection.ServerOptions{
		Services: server, DescriptorResolver: s.Registry(),
	}))
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(server.Stop)
	return listener.Addr().String()
}

func TestTryEscapesWhatVersionsRespond(t *testing.T) {
	m := sourcetest.New(example("one", source.Ready))
	m.Address = callable(t)
	server := serve(t, m)
	path := "/ns/team/versions/one/try"
	response, page := post(t, server, path, url.Values{"do": {"send"}, "f:text": {breaking}})
	require.Equal(t, http.StatusOK, response.StatusCode)
	require.Contains(t, page, `>OK</span>`)
	require.Contains(t, page, "model")
	require.Contains(t, page, `href="/_krt/ns/team/versions/one/requests/4f0c"`)
	require.NotContains(t, page, "<script>alert")
	_, page = post(t, server, path, url.Values{"do": {"send"}, "f:text": {"fail" + breaking}})
	require.Contains(t, page, `>INTERNAL</span>`)
	require.NotContains(t, page, "<script>alert")
	_, page = post(t, server, path, url.Values{"do": {"send-json"}, "json": {`{"` + breaking + `": 1}`}})
	require.Contains(t, page, `role="alert"`)
	require.NotContains(t, page, "<script>alert")
	require.NotContains(t, page, "try-result")

	_, page = post(t, server, path, url.Values{"do": {"add:rooms"}})
	require.Contains(t, page, `name="f:rooms.0.text"`)
	_, page = post(t, server, path, url.Values{"do": {"add:rooms.0.rooms"}, "n:rooms": {"1"}, "p:rooms.0": {"1"}})
	require.Contains(t, page, `name="f:rooms.0.rooms.0.text"`)
}

func TestTryOfAVersionThatCannotBeCalled(t *testing.T) {
	m := sourcetest.New(example("one", source.Stopped))
	server := serve(t, m)
	status, page := get(t, server, "/ns/team/versions/one/try")
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, page, "version one is not available: it is stopped")
	require.NotContains(t, page, "try-form")
}

// An example for the message before a reload does not keep the page from beginning with one.
func TestTryBeginsWithAnExample(t *testing.T) {
	m := sourcetest.New(example("one", source.Ready))
	m.Address = callable(t)
	server := serve(t, m)
	for example, want := range map[string]string{
		"": "text", `{"text": "a cottage"}`: "a cottage", `{"gone": 1}`: "text",
	} {
		m.Written = files(map[string]string{"assets/examples/predict.json": example})
		_, page := get(t, server, "/ns/team/versions/one/try")
		require.Contains(t, page, `&#34;text&#34;: &#34;`+want+`&#34;`, example)
	}
}

func TestTryOfAReadOnlyDashboard(t *testing.T) {
	m := sourcetest.New(example("one", source.Ready))
	m.Address = callable(t)
	server := serve(t, m, func(o *Options) { o.ReadOnly = true })
	_, page := get(t, server, "/ns/team/versions/one/try")
	require.Contains(t, page, readOnlyReason)
	response, _ := post(t, server, "/ns/team/versions/one/try", url.Values{"do": {"send"}})
	require.Equal(t, http.StatusForbidden, response.StatusCode)
}

// spelling is a version whose workflow streams.
func spelling(t *testing.T, next ...<-chan struct{}) *sourcetest.Memory {
	v := example("one", source.Ready)
	v.Workflows[0].Method = "price.Estimator/Spell"
	m := sourcetest.New(v)
	m.Address = callable(t, next...)
	return m
}

func TestTryShowsAStreamWhileItComes(t *testing.T) {
	letter := make(chan struct{})
	server := serve(t, spelling(t, letter))
	form := url.Values{"do": {"send"}, "f:text": {"spell<"}}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+"/_krt/ns/team/versions/one/try",
		strings.NewReader(form.Encode()))
	require.NoError(t, err)
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("Accept", "text/event-stream, text/html")
	response, err := server.Client().Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	next := messages(t, response)
	live := func(text string) {
		for m := next(); ; m = next() {
			require.Contains(t, []string{"fragment", "beat"}, m.Kind, m.Text)
			if m.ID == "try-live" && strings.Contains(m.HTML, text) {
				return
			}
		}
	}
	for _, count := range []string{"1 message so far", "2 messages so far", "3 messages so far"} {
		live(count)
		letter <- struct{}{}
	}
	close(letter)
	m := next()
	for ; m.Kind != "own"; m = next() {
		require.NotEqual(t, "gone", m.Kind, m.Text)
	}
	require.Equal(t, "page", m.Name)
	require.Contains(t, m.Data, "6 messages in ")
	require.Contains(t, m.Data, `{&#34;text&#34;:&#34;&lt;&#34;,&#34;rooms&#34;:[]}`)
	require.Contains(t, m.Data, `href="/_krt/ns/team/versions/one/requests/4f0c"`)
}

func TestTryOfAStreamWithoutScripts(t *testing.T) {
	server := serve(t, spelling(t))
	path := "/ns/team/versions/one/try"
	_, page := post(t, server, path, url.Values{"do": {"send"}, "f:text": {"fail" + breaking}})
	require.Contains(t, page, `>INTERNAL</span>`)
	require.Contains(t, page, strconv.Itoa(len("fail"+breaking))+" messages in ")
	require.NotContains(t, page, "<script>alert")
	_, page = post(t, server, path, url.Values{"do": {"send"}, "f:text": {"spell" + strings.Repeat("x", 1000)}})
	require.Contains(t, page, "1005 messages in ")
	require.Contains(t, page, "message 6 is the first of these")
	_, page = post(t, server, path, url.Values{"do": {"send"}, "json": {"{}"}})
	require.Contains(t, page, "1 message in ")
}

// A stream that is watched counts as an open page.
func TestTryStreamsAreBounded(t *testing.T) {
	server := serve(t, spelling(t))
	for range maxStreams {
		_ = events(t, server, "/events")
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+"/_krt/ns/team/versions/one/try",
		strings.NewReader(url.Values{"do": {"send"}, "f:text": {"spell"}}.Encode()))
	require.NoError(t, err)
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("Accept", "text/event-stream, text/html")
	response, err := server.Client().Do(request)
	require.NoError(t, err)
	status, page := read(t, response)
	require.Equal(t, http.StatusConflict, status)
	require.Contains(t, page, "As many pages of this dashboard are open")
}
