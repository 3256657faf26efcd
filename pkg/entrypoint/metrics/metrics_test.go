package metrics_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/genproto/googleapis/rpc/code"

	"krt.dev/kn-krt/pkg/entrypoint/metrics"
	"krt.dev/kn-krt/pkg/entrypoint/record"
	"krt.dev/kn-krt/pkg/runner/event"
)

// begin is when the requests of these tests begin.
func begin() time.Time { return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC) }

// step is a step that starts and runs as long as it is given, in ms since the begin.
func step(node string, start, wait, run int, outcome event.Outcome) record.Step {
	ms := func(n int) time.Duration { return time.Duration(n) * time.Millisecond }
	return record.Step{Node: node, Start: begin().Add(ms(start)), Wait: ms(wait), Run: ms(run), Outcome: outcome, SpanID: [8]byte{1}}
}

func newMetrics() *metrics.Metrics {
	m := metrics.New()
	m.Workflow("flow", []string{"etl", "model"}, false)
	return m
}

// page is what is served: as text, or in the format that a collector accepts.
func page(t *testing.T, m *metrics.Metrics, accept string) string {
	t.Helper()
	s := httptest.NewServer(m.Handler())
	defer s.Close()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL, nil)
	require.NoError(t, err)
	req.Header.Set("Accept", accept)
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, res.StatusCode, string(text))
	return string(text)
}

func TestARecordIsCounted(t *testing.T) {
	m := newMetrics()
	cold := step("model", 30, 20, 100, event.OutcomeOK)
	cold.Cold = true
	m.Observe(&record.Record{
		Workflow: "flow", Begin: begin(), End: begin().Add(200 * time.Millisecond), RequestBytes: 300, ResponseBytes: 20,
		Steps: []record.Step{step("etl", 2, 1, 7, event.OutcomeOK), cold, step("unknown", 0, 0, 0, event.OutcomeOK)},
		Sends: []record.Send{
			{Node: "etl", Result: record.ResultRetried}, {Node: "etl", Result: record.ResultOK}, {Node: "model", Result: record.ResultOK},
			{Node: "unknown", Result: record.ResultOK}, {Node: "etl", Result: "unknown"},
		},
	})
	text := page(t, m, "")
	for _, line := range []string{
		`krt_requests_total{code="OK",workflow="flow"} 1`,
		`krt_request_duration_seconds_sum{workflow="flow"} 0.2`,
		`krt_request_bytes_sum{workflow="flow"} 300`,
		`krt_response_bytes_sum{workflow="flow"} 20`,
		`krt_step_duration_seconds_sum{node="etl",outcome="ok",workflow="flow"} 0.007`,
		`krt_step_duration_seconds_sum{node="model",outcome="ok",workflow="flow"} 0.1`,
		`krt_step_wait_seconds_sum{node="etl",workflow="flow"} 0.003`,
		`krt_step_wait_seconds_sum{node="model",workflow="flow"} 0.04`, // from 10 ms to 50 ms
		`krt_step_cold_starts_total{node="model",workflow="flow"} 1`,
		`krt_step_cold_starts_total{node="etl",workflow="flow"} 0`,
		`krt_step_attempts_total{node="etl",result="retried",workflow="flow"} 1`,
		`krt_step_attempts_total{node="etl",result="ok",workflow="flow"} 1`,
		`krt_dead_letters_total{node="model",workflow="flow"} 0`,
	} {
		require.Contains(t, text, line+"\n")
	}
	for _, none := range []string{"unknown\"", `outcome="error"`} {
		require.NotContains(t, text, none)
	}
}

func TestRequestsOfOtherWorkflowsAreNotCounted(t *testing.T) {
	m := newMetrics()
	m.Observe(&record.Record{Workflow: "elsewhere", Begin: begin(), End: begin()})
	m.DeadLetter("elsewhere", "etl")
	m.DeadLetter("flow", "elsewhere")
	require.NotContains(t, page(t, m, ""), "elsewhere")
}

func TestFailuresAreCounted(t *testing.T) {
	m := newMetrics()
	m.Observe(&record.Record{
		Workflow: "flow", Begin: begin(), End: begin(), Code: code.Code_INTERNAL, Node: "etl", RequestBytes: 1,
		Steps: []record.Step{step("etl", 0, 0, 5, event.OutcomeError)},
	})
	m.Observe(&record.Record{Workflow: "flow", Begin: begin(), End: begin(), Code: code.Code_RESOURCE_EXHAUSTED}) // at admission
	m.Observe(&record.Record{Workflow: "flow", Begin: begin(), End: begin(), Code: 99})
	m.DeadLetter("flow", "etl")
	m.DeadLetter("flow", "")
	text := page(t, m, "")
	for _, line := range []string{
		`krt_requests_total{code="INTERNAL",workflow="flow"} 1`, `krt_requests_total{code="RESOURCE_EXHAUSTED",workflow="flow"} 1`,
		`krt_step_duration_seconds_count{node="etl",outcome="error",workflow="flow"} 1`, `krt_request_bytes_count{workflow="flow"} 1`,
		`krt_dead_letters_total{node="etl",workflow="flow"} 1`, `krt_dead_letters_total{node="",workflow="flow"} 1`,
	} {
		require.Contains(t, text, line+"\n")
	}
	require.NotContains(t, text, "krt_response_bytes_count")
}

// The work behind an early reply is not another request, and its handler is one step.
func TestWorkBehindAnEarlyReply(t *testing.T) {
	m := newMetrics()
	r := record.Record{
		Workflow: "flow", Begin: begin(), End: begin().Add(time.Second), Early: record.EarlyReply,
		Steps: []record.Step{step("etl", 4, 0, 10, event.OutcomeReply)},
	}
	m.Observe(&r)
	r.Background, r.Steps = true, []record.Step{step("etl", 4, 3, 50, event.OutcomeOK)}
	m.Observe(&r)
	text := page(t, m, "")
	for _, line := range []string{
		`krt_requests_total{code="OK",workflow="flow"} 1`,
		`krt_early_replies_total{kind="reply",workflow="flow"} 1`, `krt_early_replies_total{kind="exit",workflow="flow"} 0`,
		`krt_step_duration_seconds_sum{node="etl",outcome="reply",workflow="flow"} 0.01`,
		`krt_step_duration_seconds_sum{node="etl",outcome="ok",workflow="flow"} 0.05`,
		`krt_step_wait_seconds_sum{node="etl",workflow="flow"} 0.003`,
	} {
		require.Contains(t, text, line+"\n")
	}
}

func TestStreamsAreCounted(t *testing.T) {
	m := newMetrics()
	m.Observe(&record.Record{Workflow: "flow", Begin: begin(), End: begin()})
	require.NotContains(t, page(t, m, ""), "krt_stream_", "a unary workflow has no series of streams")
	m.Workflow("flow", []string{"etl"}, true)
	require.Contains(t, page(t, m, ""), `krt_stream_messages_total{workflow="flow"} 0`+"\n")
	r := record.Record{Workflow: "flow", Begin: begin(), End: begin().Add(time.Minute), Streamed: true, ResponseBytes: 90}
	m.Observe(&r) // without a message
	r.Messages, r.FirstMessage = 30, begin().Add(250*time.Millisecond)
	m.Observe(&r)
	r.Code = code.Code_INTERNAL // after them
	m.Observe(&r)
	text := page(t, m, "")
	for _, line := range []string{
		`krt_stream_messages_total{workflow="flow"} 60`,
		`krt_stream_first_message_seconds_count{workflow="flow"} 2`, `krt_stream_first_message_seconds_sum{workflow="flow"} 0.5`,
		`krt_request_duration_seconds_sum{workflow="flow"} 180`, `krt_response_bytes_sum{workflow="flow"} 180`,
	} {
		require.Contains(t, text, line+"\n")
	}
}

func TestClocksThatDifferAreNoNegativeWaits(t *testing.T) {
	m := newMetrics()
	m.Observe(&record.Record{
		Workflow: "flow", Begin: begin(), End: begin().Add(time.Second),
		Steps: []record.Step{step("etl", 5, 0, 100, event.OutcomeOK), step("model", 3, 2, 1, event.OutcomeOK)},
	})
	require.Contains(t, page(t, m, ""), `krt_step_wait_seconds_sum{node="model",workflow="flow"} 0.002`+"\n")
}

func TestAnotherVersionCountsOn(t *testing.T) {
	m := newMetrics()
	m.DeadLetter("flow", "etl")
	m.Workflow("flow", []string{"etl", "more"}, false)
	m.DeadLetter("flow", "etl")
	m.DeadLetter("flow", "more")
	text := page(t, m, "")
	require.Contains(t, text, `krt_dead_letters_total{node="etl",workflow="flow"} 2`+"\n")
	require.Contains(t, text, `krt_dead_letters_total{node="more",workflow="flow"} 1`+"\n")
}

func TestSampledRequestsAreExemplars(t *testing.T) {
	const id = "0123456789abcdef0123456789abcdef"
	trace := event.NewTrace("00-"+id+"-0123456789abcdef-01", "")
	for _, sampled := range []bool{true, false} {
		m := newMetrics()
		m.Observe(&record.Record{Workflow: "flow", Begin: begin(), End: begin().Add(time.Second), Sampled: sampled, Trace: trace})
		text := page(t, m, "application/openmetrics-text")
		require.Equal(t, sampled, strings.Contains(text, `# {trace_id="`+id+`"} 1`), text)
	}
}

func TestNativeHistogramsAreServed(t *testing.T) {
	m := newMetrics()
	m.Observe(&record.Record{Workflow: "flow", Begin: begin(), End: begin().Add(time.Second)})
	const protobuf = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=text"
	require.Regexp(t, `(?s)name: *"krt_request_duration_seconds".*schema: *3.*positive_span`, page(t, m, protobuf))
}

func TestTheProcessIsMeasured(t *testing.T) {
	text := page(t, newMetrics(), "")
	for _, name := range []string{"\nkrt_build_info{go_version=\"go1", "\ngo_goroutines ", "\nprocess_start_time_seconds "} {
		require.Contains(t, text, name)
	}
}

// A native histogram allocates the 8 bytes of a bucket's number, and no more.
func TestObservingAllocatesLittle(t *testing.T) {
	m := newMetrics()
	r := record.Record{
		Workflow: "flow", Begin: begin(), End: begin().Add(time.Millisecond), RequestBytes: 1, ResponseBytes: 1,
		Steps: []record.Step{step("etl", 2, 1, 7, event.OutcomeOK)}, Sends: []record.Send{{Node: "etl", Result: record.ResultOK}},
	}
	require.LessOrEqual(t, testing.AllocsPerRun(100, func() { m.Observe(&r) }), 3.0)
}
