package requests

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/cli/term"
	"krt.dev/kn-krt/pkg/inspection"
)

var update = flag.Bool("update", false, "write the output as it is into testdata")

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(got), 0o600))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(want), got)
}

// begin is when the requests of these tests begin, at the same time of day in every zone.
func begin() time.Time { return time.Date(2026, 1, 2, 14, 3, 7, 500e6, time.Local) }

func payload(kind string, size int, text string) *inspection.Payload {
	return &inspection.Payload{Type: kind, Size: size, JSON: json.RawMessage(text)}
}

// priced is a request that went through two nodes.
func priced() inspection.Request {
	request, features, price := payload("hotel.Request", 31, `{"roomType":"single","guest":"[redacted]"}`),
		payload("hotel.Features", 120, `{"rooms":[1,2]}`), payload("hotel.Price", 9, `{"amount":70.5}`)
	return inspection.Request{
		ID: "4f0c1d2e", Causation: "order-1", Workflow: "room-price", Method: "hotel.Entrypoint/Quote", Protocol: "grpc",
		Begin: begin(), DurationMS: 12.4, Code: "OK", Inspected: true, RequestBytes: 31, ResponseBytes: 9, TraceID: "0af7651916cd43dd",
		Input: request, Output: price,
		Steps: []inspection.Step{
			{Node: "etl", StartMS: 0.2, WaitMS: 2, RunMS: 3.1, Outcome: "ok", Cold: true, Attempts: 1, Input: request, Output: features},
			{Node: "model", StartMS: 6, RunMS: 6, Outcome: "ok", Attempts: 2, Input: features, Output: price},
		},
	}
}

func failed() inspection.Request {
	r := priced()
	r.ID, r.Code, r.Reason, r.Node, r.Error = "5a", "INTERNAL", "HANDLER_ERROR", "model", "no such\nroom \x1b[2J"
	r.Output, r.ResponseBytes = nil, 0
	r.Steps[1].Outcome, r.Steps[1].Output = "error", nil
	return r
}

// streaming is priced with a stream of so many messages.
func streaming(messages int) inspection.Request {
	r := priced()
	r.Stream = &inspection.Stream{Messages: messages}
	if messages > 0 {
		r.Stream.FirstMS = 7.5
	}
	return r
}

func TestDetail(t *testing.T) {
	early := priced()
	early.Early = "reply"
	early.Rest = &inspection.Request{Code: "OK", DurationMS: 1500, Background: true, Steps: priced().Steps}
	early.Output, early.Steps = payload("hotel.Price", 2, `{}`), early.Steps[:1]
	early.Steps[0].Outcome, early.Steps[0].RunMS, early.Steps[0].Output = "reply", 2, early.Output

	exit := priced()
	exit.Early, exit.Steps = "exit", exit.Steps[:1]
	exit.Steps[0].Outcome, exit.Steps[0].Output = "exit", exit.Output

	stream := streaming(3)
	broken := streaming(3)
	broken.Code, broken.Reason, broken.Node, broken.Error = "INTERNAL", "HANDLER_ERROR", "model", "no more words"
	broken.Steps[1].Outcome, broken.Steps[1].Output = "error", nil
	empty := streaming(0)
	empty.Output, empty.Steps[1].Output = nil, nil

	hostile := priced()
	hostile.Workflow, hostile.Steps[0].Node = "a\x1b]0;x\x07", "etl\x1b[31m"
	hostile.Input = &inspection.Payload{Size: 3 << 20, Cut: true, Base64: "aGk=", Note: "cannot be decoded: \x1b[2J"}
	hostile.Steps[0].Output = payload("hotel.Features", 1, "{\"a\":\"\u009b2J\u202e\"}")
	hostile.Steps[1].Output = nil

	refused := inspection.Request{Method: "hotel.Entrypoint/Quote", Begin: begin(), Code: "RESOURCE_EXHAUSTED", Error: "too many requests"}
	for name, r := range map[string]inspection.Request{
		"request": priced(), "failed": failed(), "reply": early, "exit": exit, "hostile": hostile, "refused": refused,
		"stream": stream, "broken": broken, "empty": empty,
	} {
		t.Run(name, func(t *testing.T) {
			got := Detail(&r, term.Streams{})
			require.NotContains(t, got, "\x1b")
			golden(t, name+".txt", got)
		})
	}
}

func TestTable(t *testing.T) {
	other := priced()
	other.Replica, other.Early = "one-2", "exit"
	refused := inspection.Request{Method: "hotel.Entrypoint/Quote", Begin: begin(), Code: "RESOURCE_EXHAUSTED", Error: "too many requests"}
	reply := streaming(1)
	reply.Early = "reply"
	rows := []inspection.Request{priced(), failed(), other, refused, streaming(100), reply}
	p := &printer{now: begin(), painter: term.NewPainter(false)}
	var out strings.Builder
	require.NoError(t, term.WriteTable(&out, p.columns(rows), rows))
	out.WriteString("\n")
	require.NoError(t, term.WriteTable(&out, p.columns(rows[:1]), rows[:1]))
	out.WriteString("\n")
	p.now = begin().Add(24 * time.Hour)
	for i := range rows {
		out.WriteString(p.line(&rows[i]))
	}
	require.NotContains(t, out.String(), "\x1b")
	golden(t, "table.txt", out.String())
}
