package entrypoint_test

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/entrypoint"
)

const page = "https://app.example.com"

func TestARequestOfAnotherSitesPageIsRefused(t *testing.T) {
	f := served(t)
	own := f.web
	for name, c := range map[string]struct {
		headers []string
		status  int
	}{
		"curl -d":                {[]string{"Content-Type", "application/x-www-form-urlencoded"}, 200},
		"no type at all":         {nil, 200},
		"a form of another site": {[]string{"Content-Type", "application/x-www-form-urlencoded", "Origin", page}, 403},
		"text of another site":   {[]string{"Content-Type", "text/plain", "Sec-Fetch-Site", "cross-site"}, 403},
		"a script of another":    {[]string{"Content-Type", "application/json", "Origin", page}, 403},
		"a sandboxed frame":      {[]string{"Content-Type", "application/json", "Origin", "null"}, 403},
		"a site next to it": {[]string{"Content-Type", "application/json", "Sec-Fetch-Site", "same-site", "Origin",
			"http://other.localhost"}, 403},
		"a page of its own":       {[]string{"Content-Type", "application/json", "Sec-Fetch-Site", "same-origin", "Origin", own}, 200},
		"its own, an old browser": {[]string{"Content-Type", "application/json", "Origin", own}, 200},
		"the address bar":         {[]string{"Content-Type", "application/json", "Sec-Fetch-Site", "none"}, 200},
	} {
		t.Run(name, func(t *testing.T) {
			got := f.request(http.MethodPost, f.web+"/test.Entrypoint/Call", `{"text":"hi"}`, c.headers...)
			require.Equal(t, c.status, got.status, got.body)
			require.Empty(t, got.header.Get("Access-Control-Allow-Origin"))
			events := f.request(http.MethodPost, f.web+"/workflows/flow", `{"text":"hi"}`,
				append(binaryEvent("flow", "application/json"), c.headers...)...)
			if c.status == 403 {
				require.Equal(t, 403, events.status, events.body)
				require.Contains(t, got.body, "another origin")
			}
		})
	}
}

func TestAnAllowedOriginMayCall(t *testing.T) {
	f := newFixture(t)
	o := quick()
	o.WebOrigins = []string{page}
	f.serve(f.version(node(t, "a", f.says("a", true))), o)
	url := f.web + "/test.Entrypoint/Call"

	asked := f.request(http.MethodOptions, url, "", "Origin", page, "Access-Control-Request-Method", "POST",
		"Access-Control-Request-Headers", "connect-protocol-version,content-type,x-grpc-web")
	require.Equal(t, http.StatusNoContent, asked.status)
	require.Equal(t, page, asked.header.Get("Access-Control-Allow-Origin"))
	require.Contains(t, asked.header.Get("Access-Control-Allow-Methods"), "POST")
	require.Equal(t, "connect-protocol-version,content-type,x-grpc-web", asked.header.Get("Access-Control-Allow-Headers"))

	for name, headers := range map[string][]string{
		"Connect":  {"Content-Type", "application/json", "Connect-Protocol-Version", "1"},
		"gRPC-Web": {"Content-Type", "application/grpc-web+proto", "X-Grpc-Web", "1"},
	} {
		t.Run(name, func(t *testing.T) {
			body := `{"text":"hi"}`
			if name == "gRPC-Web" {
				body = "\x00\x00\x00\x00\x04\x0a\x02hi"
			}
			got := f.request(http.MethodPost, url, body, append(headers, "Origin", page, "Sec-Fetch-Site", "cross-site")...)
			require.Equal(t, 200, got.status, got.body)
			require.Contains(t, got.body, "hi>a")
			require.Equal(t, page, got.header.Get("Access-Control-Allow-Origin"))
			require.Contains(t, got.header.Get("Access-Control-Expose-Headers"), "Grpc-Status")
			require.Equal(t, "Origin", got.header.Get("Vary"))
		})
	}
	other := f.request(http.MethodPost, url, `{}`, "Content-Type", "application/json", "Origin", "https://evil.example.com")
	require.Equal(t, 403, other.status)
	require.Empty(t, other.header.Get("Access-Control-Allow-Origin"))
	refused := f.request(http.MethodOptions, url, "", "Origin", "https://evil.example.com", "Access-Control-Request-Method", "POST")
	require.NotEqual(t, http.StatusNoContent, refused.status)
}

// Scripts can read every header of the response to an event: those that a browser shows of any response
// (Fetch, CORS-safelisted response-header name), those that concern the browser alone, and the exposed ones.
func TestAllHeadersOfAnEventAreExposed(t *testing.T) {
	f := newFixture(t)
	o := quick()
	o.WebOrigins = []string{page}
	f.serve(f.version(node(t, "a", f.says("a", true))), o)
	got := f.request(http.MethodPost, f.web+"/workflows/flow", `{"text":"hi"}`, binaryEvent("x", "application/json",
		"Origin", page, "Ce-Traceparent", clientParent, "Ce-Tracestate", "a=b")...)
	require.Equal(t, http.StatusOK, got.status, got.body)
	readable := []string{"Content-Length", "Content-Type", "Date", "Vary", "Access-Control-Allow-Origin", "Access-Control-Expose-Headers"}
	readable = append(readable, strings.Split(got.header.Get("Access-Control-Expose-Headers"), ", ")...)
	require.Subset(t, readable, slices.Collect(maps.Keys(got.header)))
}

func TestAnyOriginMayBeAllowed(t *testing.T) {
	f := newFixture(t)
	o := quick()
	o.WebOrigins = []string{"*"}
	f.serve(f.version(node(t, "a", f.says("a", true))), o)
	got := f.request(http.MethodPost, f.web+"/test.Entrypoint/Call", `{"text":"hi"}`, "Content-Type", "application/json", "Origin", page)
	require.Equal(t, 200, got.status, got.body)
	require.Equal(t, page, got.header.Get("Access-Control-Allow-Origin"))
}

// A page whose own name resolves to 127.0.0.1 is of the same origin as the server.
func TestALoopbackServerHasTheMachinesNamesOnly(t *testing.T) {
	f := served(t)
	for host, status := range map[string]int{
		"": 200, "localhost:8080": 200, "127.0.0.1": 200, "[::1]:8080": 200, "version.localhost": 200,
		"evil.example.com": 421, "evil.example.com:8080": 421, "localhost.example.com": 421, "192.0.2.1": 421,
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, f.web+"/", nil)
		require.NoError(t, err)
		req.Host = host
		res, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		require.Equal(t, status, res.StatusCode, host)
	}
}

func TestAWrongOriginIsNotServed(t *testing.T) {
	f := newFixture(t)
	o := quick()
	o.WebOrigins = []string{"app.example.com"}
	_, err := entrypoint.New(f.version(node(t, "a", f.says("a", true))), o)
	require.EqualError(t, err, `"app.example.com" is not a web origin such as "https://app.example.com"`)
}
