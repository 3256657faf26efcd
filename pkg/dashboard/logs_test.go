package dashboard

import (
	"encoding/json"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/dashboard/logview"
	"krt.dev/kn-krt/pkg/dashboard/source"
	"krt.dev/kn-krt/pkg/logline"
)

var logged = time.Date(2026, 11, 28, 12, 0, 0, 5e6, time.UTC)

func logLine(node, text string) logline.Line {
	l := logline.Of(logged, text)
	l.Node, l.Pod = node, "a-1-"+node+"-0"
	return l
}

const logsPath = "/ns/team/versions/a-1/logs"

func TestLogsPage(t *testing.T) {
	m := memory()
	m.Logged.Add(
		logLine("etl", `{"level":"WARN","msg":"slow","workflow":"predict","correlationid":"c-1","rows":3}`),
		logLine("entrypoint", "plain \x1b[31mred\x1b[0m \x1b[2J\x00\xff"+hostile),
	)
	m.Logged.Failed = []string{"cannot read the log of model (pod p): it is gone"}
	status, html := get(t, serve(t, m), logsPath)
	require.Equal(t, http.StatusOK, status)
	for _, want := range []string{
		"12:00:00.005", "line-warn", "slow", "<dt>rows</dt><dd>3</dd>", "/_krt/ns/team/versions/a-1/requests/c-1", `logs?id=c-1`,
		`plain red \x1b[2J\x00\ufffd`, "The last 2 lines", "it is gone", "Asleep:", "model. It has no pods now", "logs/download",
	} {
		require.Contains(t, html, want)
	}
	for _, not := range []string{"<script>alert", "<img src=x", " style=", "\x1b", "\u202e"} {
		require.NotContains(t, html, not)
	}
}

// A line may have any text as its request's id: its link must not lead to another page.
func TestOnlyIDsOfRequestsAreLinks(t *testing.T) {
	m := memory()
	all := []string{"..", ".", "../actions/delete", "x1/../../actions/delete", "1 2", "events", "%2e%2e"}
	for i, id := range all {
		text, err := json.Marshal(map[string]string{"msg": fmt.Sprint("line ", i), "correlationid": id})
		require.NoError(t, err)
		m.Logged.Add(logLine("etl", string(text)))
		r := keptRequest()
		r.ID = id
		m.Kept.Add(r)
	}
	server := serve(t, m)
	for _, page := range []string{logsPath, "/ns/team/versions/a-1/requests"} {
		_, html := get(t, server, page)
		require.NotContains(t, html, `href="/_krt/ns/team/versions/a-1/requests/`, page)
		require.NotContains(t, html, `href=""`, page)
	}
	_, html := get(t, server, logsPath)
	require.Contains(t, html, "<dt>request</dt><dd>../actions/delete · <a")
}

func TestLogFilters(t *testing.T) {
	m := memory()
	m.Logged.Add(
		logLine("etl", `{"level":"WARN","msg":"alpha","workflow":"predict","correlationid":"c-1"}`),
		logLine("model", `{"level":"DEBUG","msg":"beta"}`),
		logLine("entrypoint", "gamma"),
	)
	server := serve(t, m)
	for query, want := range map[string]string{
		"":                                "alpha beta gamma",
		"?node=etl":                       "alpha",
		"?node=etl&node=model":            "alpha beta",
		"?node=entrypoint":                "gamma",
		"?level=info":                     "alpha gamma",
		"?level=error":                    "",
		"?workflow=predict":               "alpha",
		"?id=c-1":                         "alpha",
		"?q=BETA":                         "beta",
		"?to=2026-11-28T12:00":            "",
		"?from=2026-11-28T11:59":          "alpha beta gamma",
		"?since=999999h":                  "alpha beta gamma",
		"?since=1s":                       "",
		"?level=loud":                     "The level must be",
		"?from=yesterday":                 "A time must be",
		"?since=-1s":                      "must be a duration",
		"?q=" + strings.Repeat("x", 5000): "",
	} {
		_, html := get(t, server, logsPath+query)
		for _, text := range []string{"alpha", "beta", "gamma", "The level must be", "A time must be", "must be a duration"} {
			require.Equal(t, strings.Contains(want, text), strings.Contains(html, text), "%.40s: %s", query, text)
		}
	}
}

// nextLogs reads the next event with lines.
func nextLogs(t *testing.T, next func() streamEvent) (b logview.Event) {
	t.Helper()
	for {
		m := next()
		require.NotEqual(t, "end", m.Kind)
		if m.Kind == "own" && m.Name == "logs" {
			text, err := json.Marshal(m.Data)
			require.NoError(t, err)
			require.NoError(t, json.Unmarshal(text, &b))
			return b
		}
	}
}

func TestLogsAreLive(t *testing.T) {
	m := memory()
	m.Logged.Add(logLine("etl", "first"), logLine("model", "second"))
	next := events(t, serve(t, m), logsPath+"/events?node=etl")
	b := nextLogs(t, next)
	require.True(t, b.Reset)
	require.Equal(t, 1, b.Lines)
	require.Contains(t, b.HTML, "first")
	m.Logged.Add(logLine("etl", hostile))
	b = nextLogs(t, next)
	require.False(t, b.Reset)
	require.Equal(t, 1, b.Lines)
	require.NotContains(t, b.HTML, "<script>alert")
}

func TestLogsWithoutLines(t *testing.T) {
	m := memory()
	b := nextLogs(t, events(t, serve(t, m), logsPath+"/events?q=none"))
	require.Equal(t, logview.Event{Reset: true, HTML: b.HTML}, b)
}

// 100 MB that are logged at once: what is sent and kept is bounded, and what is missing is said.
func TestAFloodOfLines(t *testing.T) {
	m := memory()
	next := events(t, serve(t, m), logsPath+"/events")
	m.Logged.Add(logLine("etl", "first"))
	require.Equal(t, 1, nextLogs(t, next).Lines)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	one := logLine("etl", strings.Repeat("x", 1<<20))
	all := make([]logline.Line, 100) // they share their text
	for i := range all {
		all[i] = one
	}
	small := make([]logline.Line, 50_000)
	for i := range small {
		small[i] = logLine("etl", fmt.Sprint("line ", i))
	}
	m.Logged.Add(append(all, small...)...)
	lines, dropped, sent, events := 0, 0, 0, 0
	for lines+dropped < len(all)+len(small) {
		b := nextLogs(t, next)
		require.LessOrEqual(t, b.Lines, logview.MaxShown)
		lines, dropped, sent, events = lines+b.Lines, dropped+b.Dropped, sent+len(b.HTML), events+1
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	require.Positive(t, dropped)
	require.Less(t, sent, 4<<20*events)
	require.Less(t, int64(after.HeapAlloc)-int64(before.HeapAlloc), int64(64<<20), "of which the lines themselves are 25 MB")
}

func TestLogDownload(t *testing.T) {
	m := memory()
	m.Logged.Add(
		logLine("etl", `{"level":"WARN","msg":"slow","rows":3,"stack":"at a\n2026-01-01T00:00:00Z [model] forged"}`),
		logLine("etl", "\x1b[31mred\x1b]0;title\a"),
		logLine("model", "other"),
	)
	m.Logged.Failed = []string{"cannot read the log of model"}
	server := serve(t, m)
	response, err := server.Client().Get(server.URL + "/_krt" + logsPath + "/download?node=etl")
	require.NoError(t, err)
	_, text := read(t, response)
	require.Equal(t, `attachment; filename="a-1-logs.txt"`, response.Header.Get("Content-Disposition"))
	require.Equal(t, "text/plain; charset=utf-8", response.Header.Get("Content-Type"))
	require.Equal(t, "2026-11-28T12:00:00.005Z [etl] WARN slow rows=3\n    at a\n    2026-01-01T00:00:00Z [model] forged\n"+
		"2026-11-28T12:00:00.005Z [etl] red\\x1b]0;title\\a\n(cannot read the log of model)\n", text)

	m.Logged.Refuse = &source.RefusedError{Refusal: source.Forbidden, Text: "you may not read logs"}
	status, page := get(t, server, logsPath+"/download")
	require.Equal(t, http.StatusForbidden, status)
	require.Contains(t, page, "you may not read logs")
	status, _ = get(t, server, logsPath+"/download?level=loud")
	require.Equal(t, http.StatusConflict, status)
}
