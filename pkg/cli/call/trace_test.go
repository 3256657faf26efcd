package call

import (
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/cli/term"
)

// untimed is text without the times of this machine.
func untimed(text string) string {
	text = regexp.MustCompile(`request took [0-9.]+m?s`).ReplaceAllString(text, "request took 9ms")
	return regexp.MustCompile(`"took": ?[0-9.e-]+`).ReplaceAllString(text, `"took":9`)
}

func TestInvokeTrace(t *testing.T) {
	got := runKrt(t.Context(), "", "invoke", "room-price", "--trace", "--address", serveVersion(t))
	require.Empty(t, got.err)
	require.Equal(t, `{
  "amount": 0,
  "currency": ""
}

node                                                      wait       run  total ms
entrypoint  ████████████████████████████████████████       0.0      20.0      20.0
etl             ░░░░░░░░░░░░████████                       6.0       4.0      10.0  first request
model                                 █                    0.0       0.0       0.0  exit
The request took 9ms, as measured here.
`, untimed(got.out))
}

func TestInvokeTraceOfAFailure(t *testing.T) {
	address := serveVersion(t)
	got := runKrt(t.Context(), "", "invoke", "cancel-room", "--trace", "--address", address)
	require.Equal(t, term.ExitFailed, got.code)
	require.Equal(t, `node                                                      wait       run  total ms
entrypoint  ████████████████████████████████████████       0.0      20.0      20.0  error
etl             ░░░░░░░░░░░░████████                       6.0       4.0      10.0  error
The request took 9ms, as measured here.
`, untimed(got.out))
	got = runKrt(t.Context(), "", "invoke", "cancel-room", "--trace", "-o", "json", "--address", address)
	require.JSONEq(t, `{
		"error": {"code": "INTERNAL", "message": "error in 'model': no such room", "reason": "HANDLER_ERROR",
			"metadata": {"node": "model", "workflow": "cancel-room", "version": "hotel"}},
		"took": 9, "steps": [
			{"node": "entrypoint", "start": "2001-09-09T01:46:40Z", "wait": 0, "run": 0.02, "outcome": "error", "spanId": "0000000000000001"},
			{"node": "etl", "start": "2001-09-09T01:46:40.002Z", "wait": 0.006, "run": 0.004, "outcome": "error", "spanId": "0000000000000002"}
		]}`, untimed(got.out))
}

func TestInvokeTraceAsJSON(t *testing.T) {
	got := runKrt(t.Context(), "", "invoke", "room-price", "--trace", "-o", "json", "--address", serveVersion(t))
	require.Equal(t, `{"response":{"amount":0,"currency":""},"took":9,"steps":[`+
		`{"node":"entrypoint","start":"2001-09-09T01:46:40Z","wait":0,"run":0.02,"outcome":"ok","spanId":"0000000000000001"},`+
		`{"node":"etl","start":"2001-09-09T01:46:40.002Z","wait":0.006,"run":0.004,"outcome":"ok","cold":true,"spanId":"0000000000000002"},`+
		`{"node":"model","start":"2001-09-09T01:46:40.013Z","wait":0,"run":0.00003,"outcome":"exit","spanId":"0000000000000003"}]}`+"\n",
		untimed(got.out))
}

func TestTraceWithoutSteps(t *testing.T) {
	none := &trace{took: 9 * time.Millisecond}
	require.Equal(t, "No steps: the version's entrypoint does not report them. The request took 9.0ms.\n", none.text())
	require.Nil(t, none.json().Steps)
	unread := &trace{took: 2 * time.Second, reported: true}
	require.Equal(t, "No steps: no node reported one. The request took 2.00s.\n", unread.text())
	require.Empty(t, unread.json().Steps)
}
