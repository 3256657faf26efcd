package local

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/genproto/googleapis/rpc/code"

	"krt.dev/kn-krt/pkg/cli/term"
	"krt.dev/kn-krt/pkg/entrypoint/record"
	"krt.dev/kn-krt/pkg/local"
	"krt.dev/kn-krt/pkg/runner/event"
)

// seen is a request to price-estimator that was admitted at three minutes past two.
func seen(change func(*record.Record)) *record.Record {
	begin := time.Date(2026, 1, 2, 14, 3, 7, 5e8, time.Local)
	const ms = time.Millisecond
	r := &record.Record{
		ID: "abc", Version: "v1", Workflow: "ny-room-price", Method: "hotel.Entrypoint/NYRoomPrice", Protocol: record.GRPC,
		Begin: begin, End: begin.Add(12*ms + 400*time.Microsecond), RequestBytes: 20, ResponseBytes: 9,
		Steps: []record.Step{
			{Node: "etl", Start: begin.Add(ms), Run: 3*ms + 100*time.Microsecond, SpanID: [8]byte{7: 1}},
			{Node: "model", Start: begin.Add(5 * ms), Run: 6 * ms, SpanID: [8]byte{7: 2}},
		},
	}
	change(r)
	return r
}

func TestConsoleRequestLine(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*record.Record)
		want   string
	}{
		"ok": {func(*record.Record) {}, "14:03:07.512 ny-room-price OK 12.4ms  etl 3.1 · model 6.0  id=abc"},
		"early exit": {func(r *record.Record) { r.Early = record.EarlyExit },
			"14:03:07.512 ny-room-price OK 12.4ms  early exit  etl 3.1 · model 6.0  id=abc"},
		"early reply": {func(r *record.Record) { r.Early = record.EarlyReply; r.Steps = nil },
			"14:03:07.512 ny-room-price OK 12.4ms  early reply  id=abc"},
		"work after the reply": {func(r *record.Record) { r.Early, r.Background = record.EarlyReply, true },
			"14:03:07.512 ny-room-price OK 12.4ms  work after the early reply  etl 3.1 · model 6.0  id=abc"},
		"asynchronous": {func(r *record.Record) { r.Async = true; r.Steps = nil },
			"14:03:07.512 ny-room-price OK 12.4ms  asynchronous  id=abc"},
		"stream": {func(r *record.Record) {
			r.Streamed, r.Messages, r.FirstMessage = true, 20, r.Begin.Add(9*time.Millisecond)
		}, "14:03:07.512 ny-room-price OK 12.4ms  20 messages, the first after 9.0ms  etl 3.1 · model 6.0  id=abc"},
		"empty stream": {func(r *record.Record) { r.Streamed, r.Early = true, record.EarlyExit },
			"14:03:07.512 ny-room-price OK 12.4ms  no messages  early exit  etl 3.1 · model 6.0  id=abc"},
		"slow": {func(r *record.Record) {
			r.End = r.Begin.Add(2340 * time.Millisecond)
			r.Steps[1].Wait, r.Steps[1].Run, r.Steps[1].Cold = 20*time.Millisecond, 2*time.Second, true
		}, "14:03:09.840 ny-room-price OK 2.34s  etl 3.1 · model 2.00s (waited 20.0, first request)  id=abc"},
		"unreachable": {func(r *record.Record) {
			r.Code, r.Reason, r.Node, r.Error = code.Code_UNAVAILABLE, event.ReasonUnavailable, "etl", "connection refused"
			r.Steps = nil
			r.Sends = []record.Send{
				{Node: "etl", Begin: r.Begin, End: r.Begin.Add(time.Millisecond), Attempt: 1, Result: record.ResultRetried},
				{Node: "etl", Begin: r.Begin, End: r.Begin.Add(2 * time.Millisecond), Attempt: 2, Result: record.ResultGaveUp},
			}
		}, "14:03:07.512 ny-room-price UNAVAILABLE 12.4ms  etl 2.0 (2 attempts)  id=abc  node etl: connection refused"},
		"hostile": {func(r *record.Record) {
			r.Code, r.Node, r.Error, r.ID = code.Code_INTERNAL, "x\x1b[31m", "a\nb\x1b]0;title\a"+strings.Repeat("z", 600), "i\nd"
			r.Steps = nil
		}, `14:03:07.512 ny-room-price INTERNAL 12.4ms  id=i d  node x\x1b[31m: a b\x1b]0;title\a` + strings.Repeat("z", 487) + "…"},
	} {
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			r := newConsole(runOptions{streams: term.Streams{Out: &out}})
			r.Event(local.Event{Type: local.EventRequest, Request: seen(c.change)})
			require.Equal(t, c.want+"\n", out.String())
		})
	}
}

func TestConsoleRequestColours(t *testing.T) {
	var out strings.Builder
	r := newConsole(runOptions{streams: term.Streams{Out: &out, TTY: true}})
	r.Event(local.Event{Type: local.EventRequest, Request: seen(func(r *record.Record) { r.Code = code.Code_CANCELLED })})
	require.Contains(t, out.String(), " ny-room-price \x1b[31mCANCELLED\x1b[0m 12.4ms ")
}

func TestConsoleRequestJSON(t *testing.T) {
	var out strings.Builder
	r := newConsole(runOptions{streams: term.Streams{Out: &out}, output: term.OutputJSON})
	request := seen(func(r *record.Record) {
		r.Begin, r.End = r.Begin.UTC(), r.End.UTC()
		r.Code, r.Reason, r.Node, r.Error = code.Code_INTERNAL, event.ReasonHandlerError, "model", "<no room>"
		r.Early, r.Trace.Parent = record.EarlyReply, "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
		r.Steps = r.Steps[:1]
		r.Sends = []record.Send{{
			Node: "etl", Begin: r.Begin, End: r.End, Attempt: 1, Status: 500, Result: record.ResultGaveUp, Error: "status 500",
		}}
	})
	r.Event(local.Event{Type: local.EventRequest, Request: request})
	stamp := func(at time.Time) string { text, _ := json.Marshal(at.UTC()); return string(text) }
	begin := stamp(request.Begin)
	require.Equal(t, `{"time":`+stamp(request.End)+`,"event":"request","id":"abc","version":"v1","workflow":"ny-room-price",`+
		`"rpc":"hotel.Entrypoint/NYRoomPrice","protocol":"grpc","begin":`+begin+`,"took":0.0124,`+
		`"code":"INTERNAL","reason":"HANDLER_ERROR","node":"model","error":"<no room>","early":"reply","requestBytes":20,"responseBytes":9,`+
		`"traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",`+
		`"steps":[{"node":"etl","start":`+stamp(request.Steps[0].Start)+`,"wait":0,"run":0.0031,"outcome":"ok","spanId":"0000000000000001"}],`+
		`"sends":[{"node":"etl","begin":`+begin+`,"took":0.0124,"attempt":1,"status":500,"result":"gave_up","error":"status 500"}]}`+"\n",
		out.String())
}

func TestConsoleStreamJSON(t *testing.T) {
	var out strings.Builder
	r := newConsole(runOptions{streams: term.Streams{Out: &out}, output: term.OutputJSON})
	for _, messages := range []int{0, 3} {
		r.Event(local.Event{Type: local.EventRequest, Request: seen(func(r *record.Record) {
			if r.Streamed, r.Messages = true, messages; messages > 0 {
				r.FirstMessage = r.Begin.Add(2 * time.Millisecond)
			}
		})})
	}
	lines := strings.Split(out.String(), "\n")
	require.Contains(t, lines[0], `"responseBytes":9,"stream":{"messages":0},"steps"`)
	require.Contains(t, lines[1], `"responseBytes":9,"stream":{"messages":3,"firstMessage":0.002},"steps"`)
}
