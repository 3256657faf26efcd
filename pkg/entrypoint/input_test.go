package entrypoint_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"krt.dev/kn-krt/pkg/runner/event"
)

// What a client gets wrong is reported as the client's error, by name.
func TestWrongRPCRequestsAreNamed(t *testing.T) {
	f := served(t)
	json := []string{"Content-Type", "application/json"}
	for name, c := range map[string]struct {
		headers []string
		body    string
		status  int
		want    string
	}{
		"garbage as gzip": {append(json, "Content-Encoding", "gzip"), `{"text":"hello"}`, 400, "gzip: invalid header"},
		"gzip that ends early": {append(json, "Content-Encoding", "gzip"), string(gzipped(t, `{"text":"hello"}`))[:20], 400,
			"cannot be decompressed"},
		"a type in capitals":   {[]string{"Content-Type", "Application/JSON; Charset=UTF-8"}, `{"text":"x"}`, 200, "x>a>b"},
		"a timeout of letters": {append(json, "Connect-Timeout-Ms", "abc"), `{}`, 400, `the header Connect-Timeout-Ms is \"abc\"`},
		"a timeout too long":   {append(json, "Connect-Timeout-Ms", "12345678901"), `{}`, 400, "at most 10 digits"},
		"a request timeout":    {append(json, "Request-Timeout", "soon"), `{}`, 400, `the header Request-Timeout is \"soon\"`},
		"a timeout of gRPC":    {append(json, "Grpc-Timeout", "5"), `{}`, 400, "the header Grpc-Timeout"},
		"another Connect": {append(json, "Connect-Protocol-Version", "2"), `{}`, 400,
			`the header Connect-Protocol-Version is \"2\"; version 1 is supported`},
		"a byte order mark":        {json, "\uFEFF{}", 400, "byte order mark"},
		"JSON that is too deep":    {json, `{"item":` + strings.Repeat("[", 20_000), 400, "invalid_argument"},
		"JSON in an unknown field": {json, `{"x":` + strings.Repeat(`{"x":`, 20_000), 400, "invalid_argument"},
	} {
		t.Run(name, func(t *testing.T) {
			got := f.request(http.MethodPost, f.web+"/test.Entrypoint/Call", c.body, c.headers...)
			require.Equal(t, c.status, got.status, got.body)
			require.Contains(t, got.body, c.want)
			require.Equal(t, "application/json", got.header.Get("Content-Type"))
		})
	}
}

func TestWrongEventsAreNamed(t *testing.T) {
	f := served(t)
	without := func(name string) []string {
		h := binaryEvent("flow", "application/json")
		for i := 0; i < len(h); i += 2 {
			if strings.EqualFold(h[i], name) {
				return append(append([]string{}, h[:i]...), h[i+2:]...)
			}
		}
		return h
	}
	with := func(pairs ...string) []string { return append(binaryEvent("flow", "application/json"), pairs...) }
	structured := []string{"Content-Type", "application/cloudevents+json"}
	for name, c := range map[string]struct {
		headers []string
		body    string
		status  int
		want    string
	}{
		"specversion":        {with("ce-specversion", "1.0.2"), `{}`, 400, `ce-specversion is \"1.0.2\"; only \"1.0\" is supported`},
		"older specversion":  {with("ce-specversion", "0.3"), `{}`, 400, `ce-specversion is \"0.3\"; only \"1.0\" is supported`},
		"no type":            {without("ce-type"), `{}`, 400, "the header ce-type is missing or empty"},
		"no id":              {without("ce-id"), `{}`, 400, "the header ce-id is missing or empty"},
		"an empty id":        {with("ce-id", ""), `{}`, 400, "the header ce-id is missing or empty"},
		"no source":          {without("ce-source"), `{}`, 400, "the header ce-source is missing or empty"},
		"gzip":               {with("Content-Encoding", "gzip"), string(gzipped(t, `{"text":"packed"}`)), 200, "packed>a>b"},
		"garbage as gzip":    {with("Content-Encoding", "gzip"), `{"text":"hello"}`, 400, "gzip: invalid header"},
		"another encoding":   {with("Content-Encoding", "br"), `{}`, 415, `Content-Encoding \"br\" is not supported`},
		"a byte order mark":  {with(), "\uFEFF{}", 400, "byte order mark"},
		"a type in capitals": {with("Content-Type", "Application/JSON"), `{"text":"x"}`, 200, "x>a>b"},
		"too deep":           {with(), `{"item":` + strings.Repeat(`{"item":`, 20_000), 400, "is not a test.Request in JSON"},
		"a timeout":          {with("Request-Timeout", "-1"), `{}`, 400, "the header Request-Timeout"},
		"structured specversion": {structured, `{"specversion":"2.0","id":"1","source":"/s","type":"flow","data":{}}`, 400,
			`specversion is \"2.0\"; only \"1.0\" is supported`},
		"structured, older specversion": {structured, `{"specversion":"0.3","id":"1","source":"/s","type":"flow","data":{}}`, 400,
			`specversion is \"0.3\"; only \"1.0\" is supported`},
		"structured, none":     {structured, `{"id":"1","source":"/s","type":"flow","data":{}}`, 400, `\"specversion\" is missing`},
		"structured, no id":    {structured, `{"specversion":"1.0","source":"/s","type":"flow","data":{}}`, 400, "id"},
		"structured, empty id": {structured, `{"specversion":"1.0","id":"","source":"/s","type":"flow","data":{}}`, 400, "id"},
		"structured, a mark": {structured, "\uFEFF" + `{"specversion":"1.0","id":"1","source":"/s","type":"flow","data":{}}`, 400,
			"byte order mark"},
		"a batch": {[]string{"Content-Type", "application/cloudevents-batch+json"}, `[]`, 415, "cloudevents-batch+json"},
		"in capitals": {[]string{"Content-Type", "Application/CloudEvents+JSON"},
			`{"specversion":"1.0","id":"1","source":"/s","type":"flow","data":{"text":"x"}}`, 200, `x\u003ea\u003eb`},
	} {
		t.Run(name, func(t *testing.T) {
			got := f.request(http.MethodPost, f.web+"/workflows/flow", c.body, c.headers...)
			require.Equal(t, c.status, got.status, got.body)
			require.Contains(t, got.body, c.want)
		})
	}
}

// CloudEvents HTTP binding 1.0, 3.1.3.2.
func TestAttributesArePercentEncoded(t *testing.T) {
	f := served(t)
	got := f.request(http.MethodPost, f.web+"/workflows/flow", `{"text":"x"}`,
		append(binaryEvent("flow", "application/json"), "ce-id", "caf%C3%A9%201")...)
	require.Equal(t, 200, got.status, got.body)
	require.Equal(t, "caf%C3%A9%201", got.header.Get("Ce-Causationid"))
	require.Contains(t, got.header.Get("Ce-Id"), "caf%C3%A9%201@")
	raw := f.request(http.MethodPost, f.web+"/workflows/flow", `{"text":"x"}`,
		append(binaryEvent("flow", "application/json"), "ce-id", "100%")...)
	require.Equal(t, "100%25", raw.header.Get("Ce-Causationid"), "many producers do not encode")
}

func TestAClientsDeadlineIsKeptOnTheWebPort(t *testing.T) {
	for name, c := range map[string]struct {
		path, body string
		headers    []string
		timeout    string // the header, and the unit of its value
		unit       time.Duration
		status     int
		want       string
	}{
		"Connect": {"/test.Entrypoint/Call", `{}`, []string{"Content-Type", "application/json"}, "Connect-Timeout-Ms: %d",
			time.Millisecond, 504, "deadline_exceeded"},
		"Request-Timeout": {"/test.Entrypoint/Call", `{}`, []string{"Content-Type", "application/json"}, "Request-Timeout: %d.0",
			time.Second, 504, "deadline_exceeded"},
		"gRPC-Web": {"/test.Entrypoint/Call", "\x00\x00\x00\x00\x00", []string{"Content-Type", "application/grpc-web+proto"},
			"Grpc-Timeout: %dm", time.Millisecond, 200, "grpc-status: 4"},
		"CloudEvents": {"/workflows/flow", `{}`, binaryEvent("flow", "application/json"), "Request-Timeout: %dms",
			time.Millisecond, 504, `"code":4`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inTime(t, 2*time.Second, func(patience time.Duration) bool {
				f, o := newFixture(t), quick()
				o.Timeout = 2 * time.Minute
				left := make(chan time.Duration, 1)
				f.serve(f.version(node(t, "a", func(ctx context.Context, in *event.Event) (int, *event.Event) {
					left <- time.Until(in.Deadline)
					<-ctx.Done()
					return http.StatusInternalServerError, nil
				})), o)
				header, value, _ := strings.Cut(fmt.Sprintf(c.timeout, patience/c.unit), ": ")
				got := f.request(http.MethodPost, f.web+c.path, c.body, append(c.headers, header, value)...)
				require.Equal(t, c.status, got.status, got.body)
				if name == "gRPC-Web" {
					require.Equal(t, "4", strings.TrimSpace(got.header.Get("Grpc-Status")+trailer(got.body, "grpc-status: ")))
				} else {
					require.Contains(t, strings.ToLower(got.body), c.want)
				}
				select {
				case known := <-left:
					require.Less(t, known, patience+time.Second, "the node knows the client's deadline")
					return true
				default: // the node was not reached
					return false
				}
			})
		})
	}
}

// trailer is the value of a trailer in a body of gRPC-Web.
func trailer(body, name string) string {
	_, rest, _ := strings.Cut(body, name)
	value, _, _ := strings.Cut(rest, "\r\n")
	return value
}

// One call's metadata must not end the others on its connection.
func TestLongMetadataIsRefusedForItself(t *testing.T) {
	f := newFixture(t)
	release := make(chan struct{})
	came := make(chan struct{}, 1)
	f.serve(f.version(node(t, "a", func(_ context.Context, in *event.Event) (int, *event.Event) {
		came <- struct{}{}
		<-release
		return http.StatusOK, in.Next(event.Source("test", "v1", "a"), event.TypeMessage, "test.Reply", f.text("test.Reply", "done"))
	})), quick())
	slow := make(chan error, 1)
	go func() {
		_, err := f.call(t.Context(), "slow")
		slow <- err
	}()
	<-came
	for _, size := range []int{70 << 10, 200 << 10} {
		_, err := f.call(metadata.AppendToOutgoingContext(t.Context(), "x-long", strings.Repeat("x", size)), "x")
		require.Equal(t, codes.ResourceExhausted, status.Code(err), err)
		require.ErrorContains(t, err, "the metadata has")
		got := f.request(http.MethodPost, f.web+"/test.Entrypoint/Call", `{}`, "Content-Type", "application/json", "X-Long",
			strings.Repeat("x", size))
		require.Equal(t, http.StatusRequestHeaderFieldsTooLarge, got.status, got.body)
	}
	close(release)
	require.NoError(t, <-slow)
}
