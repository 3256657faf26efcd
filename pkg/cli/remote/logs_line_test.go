package remote

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/cli/term"
	"krt.dev/kn-krt/pkg/logline"
)

func TestLogLine(t *testing.T) {
	asJSON := logsOptions{output: term.OutputJSON}
	tests := map[string]struct {
		line string
		o    logsOptions
		want string
	}{
		"text":       {line: "plain words", want: "[etl] plain words\n"},
		"structured": {line: `{"time":"x","level":"INFO","msg":"ready","node":"etl","address":":1"}`, want: "[etl] ready address=:1\n"},
		"of a call": {
			line: `{"level":"INFO","msg":"hi","node":"etl","workflow":"w","correlationid":"c","trace_id":"t","span_id":"s"}`, want: "[etl] hi\n",
		},
		"level": {line: `{"level":"WARN","msg":"slow","n":3,"b":true}`, want: "[etl] WARN slow b=true n=3\n"},
		"stack": {line: `{"level":"ERROR","msg":"boom","stack":"at a\nat b\n"}`, want: "[etl] ERROR boom\nat a\nat b\n"},
		"JSON of other programs": {
			line: `{"severity":"x"}`, want: "[etl] {\"severity\":\"x\"}\n",
		},
		"steers a terminal":          {line: "a\x1b[2J\tb", want: "[etl] a\\x1b[2J\tb\n"},
		"steers a terminal, in JSON": {line: `{"msg":"a\u001b[2J"}`, want: "[etl] a\\x1b[2J\n"},
		"broken JSON":                {line: `{"msg":`, want: "[etl] {\"msg\":\n"},
		"as JSON": {
			line: `{"msg":"hi"}`, o: asJSON, want: `{"line":{"msg":"hi"},"node":"etl","time":"2026-11-22T22:50:56.325874783Z"}` + "\n",
		},
		"text as JSON": {
			line: "plain", o: asJSON, want: `{"line":"plain","node":"etl","time":"2026-11-22T22:50:56.325874783Z"}` + "\n",
		},
		"steers a terminal, as JSON": {
			line: "\u009b2J\x1b", o: asJSON, want: `{"line":"\u009b2J\u001b","node":"etl","time":"2026-11-22T22:50:56.325874783Z"}` + "\n",
		},
		"an escape in the colour": {
			line: "plain", o: logsOptions{streams: term.Streams{TTY: true}}, want: "\x1b[36m[etl]\x1b[0m plain\n",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			test.o.streams.Out = &out
			l := logline.Line{Node: "etl", Text: test.line, Time: time.Date(2026, 11, 22, 22, 50, 56, 325874783, time.UTC)}
			_ = json.Unmarshal([]byte(test.line), &l.Fields) // text has none
			newLogPrinter(test.o).show(l)
			require.Equal(t, test.want, out.String())
		})
	}
}
