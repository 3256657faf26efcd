package dashboard

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/dashboard/link"
	"krt.dev/kn-krt/pkg/dashboard/source"
	"krt.dev/kn-krt/pkg/dashboard/sourcetest"
	"krt.dev/kn-krt/pkg/inspection"
)

const requestID = "4f0c1d2e83ab45d0a2cf6be0b6f0d1aa"

// keptRequest is a request with all that a page can show.
func keptRequest() inspection.Request {
	return inspection.Request{
		ID: requestID, Workflow: "predict", Method: "price.Estimator/Predict", Protocol: "grpc", Code: "OK", DurationMS: 12.4,
		Begin: time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC), Inspected: true, TraceID: "0af7651916cd43dd8448eb211c80319c",
		RequestBytes: 100, ResponseBytes: 2000, Causation: "cause-1",
		Input: &inspection.Payload{Type: "price.Room", Size: 100, JSON: json.RawMessage(`{"city":"NY"}`)},
		Steps: []inspection.Step{
			{Node: "etl", StartMS: 1, WaitMS: 2, RunMS: 3, Outcome: "ok", Cold: true,
				Output: &inspection.Payload{Type: "price.Row", Size: 9, JSON: json.RawMessage(`{"secret":"[redacted]"}`), Cut: true}},
			{Node: "model", StartMS: 7, RunMS: 5, Outcome: "ok", Attempts: 2,
				Input:  &inspection.Payload{Type: "price.Row", Size: 9, JSON: json.RawMessage(`{"secret":"[redacted]"}`)},
				Output: &inspection.Payload{Size: 4, Base64: "AAECAw==", Note: "it is not a message of the version"}},
		},
	}
}

func failedRequest() inspection.Request {
	r := keptRequest()
	r.ID, r.Code, r.Reason, r.Node, r.Error, r.Inspected, r.DurationMS = "f-1", "INTERNAL", "HANDLER_ERROR", "model", hostile, false, 900
	r.Steps[1].Outcome, r.Steps[1].Node = "error", hostile
	return r
}

func memory() *sourcetest.Memory { return sourcetest.New(example("a-1", source.Ready)) }

func TestRequestsPage(t *testing.T) {
	m := memory()
	m.Kept.Add(failedRequest(), keptRequest())
	m.Kept.Notes = []string{"cannot read the requests in pod p-1: timeout"}
	status, html := get(t, serve(t, m), "/ns/team/versions/a-1/requests")
	require.Equal(t, http.StatusOK, status)
	for _, want := range []string{
		"2 requests", "1 failed", "12.4\u00a0ms", "12:00:00.012", "/_krt/ns/team/versions/a-1/requests/" + requestID, "900.0\u00a0ms", "INTERNAL",
		`class="wf-strip"`, "etl 3.0\u00a0ms (waited 2.0\u00a0ms)", "cannot read the requests in pod p-1: timeout",
	} {
		require.Contains(t, html, want)
	}
	require.NotContains(t, html, "<script>alert")
	require.NotContains(t, html, "<img src=x")
	require.NotContains(t, html, " style=")
}

func TestRequestFilters(t *testing.T) {
	m := memory()
	m.Kept.Add(failedRequest(), keptRequest())
	server := serve(t, m)
	for query, want := range map[string][]string{
		"":                   {"f-1", "4f0c1d2e"},
		"?failed=1":          {"f-1"},
		"?slower=100ms":      {"f-1"},
		"?node=model":        {"f-1", "4f0c1d2e"},
		"?node=other":        nil,
		"?workflow=predict":  {"f-1", "4f0c1d2e"},
		"?workflow=unknown":  nil,
		"?slower=bogus%3Cb>": {"f-1", "4f0c1d2e", "must be a duration"},
	} {
		_, html := get(t, server, "/ns/team/versions/a-1/requests"+query)
		for _, text := range []string{"f-1", "4f0c1d2e", "must be a duration"} {
			require.Equal(t, contains(want, text), strings.Contains(html, text), "%s: %s", query, text)
		}
	}
}

func contains(all []string, one string) bool {
	return strings.Contains("\n"+strings.Join(all, "\n")+"\n", "\n"+one+"\n")
}

func TestRequestsThatCannotBeRead(t *testing.T) {
	m := memory()
	m.Kept.Refuse = &source.RefusedError{Refusal: source.Unavailable, Text: "version a-1 is stopped", Next: "kn krt start a-1"}
	status, html := get(t, serve(t, m), "/ns/team/versions/a-1/requests")
	require.Equal(t, http.StatusOK, status, "the filters and the version are shown")
	require.Contains(t, html, "version a-1 is stopped")
	require.Contains(t, html, "<code>kn krt start a-1</code>")
}

// A page that is open gets new requests, and how many were missed; what it has stays bounded.
func TestRequestsAreLive(t *testing.T) {
	m := memory()
	m.Kept.Add(failedRequest())
	next := events(t, serve(t, m), "/ns/team/versions/a-1/requests/events")
	html := ""
	for !strings.Contains(html, "f-1") {
		_, html = until(next)
	}
	for range 2000 {
		m.Kept.Add(keptRequest())
	}
	m.Kept.Lose(12)
	all := ""
	for !strings.Contains(html, "2001 requests") || !strings.Contains(all, "12 requests not listed") {
		_, html = until(next)
		all += html
	}
	require.Contains(t, html, "f-1", "what failed stays")
	require.Less(t, strings.Count(html, "<tr id="), 40)
}

func TestOneRequest(t *testing.T) {
	m := memory()
	m.Kept.Add(keptRequest(), failedRequest())
	m.Kept.Unkept = "Add 'inspect: {}'."
	traces, err := link.ParseTrace("http://jaeger:16686/trace/{traceId}?x=1")
	require.NoError(t, err)
	server := serve(t, m, func(o *Options) { o.Traces = traces })
	status, html := get(t, server, "/ns/team/versions/a-1/requests/"+requestID)
	require.Equal(t, http.StatusOK, status)
	for _, want := range []string{
		`class="waterfall"`, "first request", "2 attempts", "cause-1", "/_krt/ns/team/versions/a-1/logs?id=" + requestID,
		`href="http://jaeger:16686/trace/0af7651916cd43dd8448eb211c80319c?x=1"`,
		"Input of etl", "the same as the output of etl", "&#34;city&#34;: &#34;NY&#34;", "[redacted]", "Values that the version must not show",
		", cut", "AAECAw==", "in base64", "it is not a message of the version.", "Output of model",
	} {
		require.Contains(t, html, want)
	}

	status, html = get(t, server, "/ns/team/versions/a-1/requests/f-1")
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, html, "Its messages were not kept. Add &#39;inspect: {}&#39;.")
	require.Contains(t, html, "HANDLER_ERROR")
	require.NotContains(t, html, "<script>alert")
	require.NotContains(t, html, " style=")

	status, html = get(t, server, "/ns/team/versions/a-1/requests/none")
	require.Equal(t, http.StatusNotFound, status)
	require.Contains(t, html, "keeps its last 256 requests")
}

func TestAStreamShowsItsMessages(t *testing.T) {
	long, none := keptRequest(), keptRequest()
	long.Stream = &inspection.Stream{Messages: 100, FirstMS: 310}
	long.Output = &inspection.Payload{Size: 3, JSON: json.RawMessage(`{"text":"end"}`)}
	none.ID, none.Stream = "none-1", &inspection.Stream{}
	m := memory()
	m.Kept.Add(none, long)
	server := serve(t, m)
	_, html := get(t, server, "/ns/team/versions/a-1/requests")
	require.Contains(t, html, `<span class="tag">100 messages</span>`)
	require.Contains(t, html, `<span class="tag">no messages</span>`)
	_, html = get(t, server, "/ns/team/versions/a-1/requests/"+requestID)
	require.Contains(t, html, "<dt>Messages</dt><dd>100, the first after 310.0\u00a0ms</dd>")
	require.Contains(t, html, "<strong>Last message</strong>")
	_, html = get(t, server, "/ns/team/versions/a-1/requests/none-1")
	require.Contains(t, html, "<dt>Messages</dt><dd>none</dd>")
	require.NotContains(t, html, "Last message")
}

func TestLargeMessagesAreCut(t *testing.T) {
	r := keptRequest()
	big := json.RawMessage(`"` + strings.Repeat("x", 1<<20) + `"`)
	for i := range 40 {
		r.Steps = append(r.Steps, inspection.Step{Node: "n", Outcome: "ok", Output: &inspection.Payload{Size: i, JSON: big}})
	}
	m := memory()
	m.Kept.Add(r)
	_, html := get(t, serve(t, m), "/ns/team/versions/a-1/requests/"+requestID)
	require.Less(t, len(html), 2*maxMessages)
	require.Contains(t, html, "more are not shown here")
}
