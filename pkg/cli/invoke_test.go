package cli

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
)

// krtResult is what a run of the program left behind.
type krtResult struct {
	code     int
	out, err string
}

// runKrt runs the command line with input on its standard input.
func runKrt(ctx context.Context, input string, args ...string) krtResult {
	var out, errOut bytes.Buffer
	code := Main(ctx, append([]string{"kn-krt"}, args...), Streams{In: strings.NewReader(input), Out: &out, Err: &errOut})
	return krtResult{code: code, out: out.String(), err: errOut.String()}
}

func TestInvoke(t *testing.T) {
	address := serveVersion(t)
	file := filepath.Join(t.TempDir(), "request.json")
	require.NoError(t, os.WriteFile(file, []byte(`{"nights": 4}`), 0o600))

	answer := func(amount string) string {
		return "{\n  \"amount\": " + amount + ",\n  \"currency\": \"\"\n}\n"
	}
	tests := map[string]struct {
		input string
		args  []string
		want  krtResult
	}{
		"by workflow": {args: []string{"room-price", "-d", `{"nights": 3}`}, want: krtResult{out: answer("3")}},
		"by rpc":      {args: []string{"Quote", "-d", `{"nights": 3}`}, want: krtResult{out: answer("3")}},
		"by full rpc": {args: []string{"hotel.Entrypoint/Quote", "-d", `{"nights": 3}`}, want: krtResult{out: answer("3")}},
		"empty":       {args: []string{"room-price"}, want: krtResult{out: answer("0")}},
		"from input":  {input: `{"nights": 5}`, args: []string{"room-price", "-d", "-"}, want: krtResult{out: answer("5")}},
		"from file":   {args: []string{"room-price", "-d", "@" + file}, want: krtResult{out: answer("4")}},
		"as json":     {args: []string{"room-price", "-o", "json"}, want: krtResult{out: `{"amount":0,"currency":""}` + "\n"}},
		"unknown field": {args: []string{"room-price", "-d", `{"night": 3}`}, want: krtResult{code: ExitFailed,
			err: "Error: cannot read the request as hotel.Request: (line 1:2): unknown field \"night\"\nhotel.Request has the fields: roomType, nights\n"}},
		"wrong value": {args: []string{"room-price", "-d", `{"nights": "three"}`}, want: krtResult{code: ExitFailed,
			err: "Error: cannot read the request as hotel.Request: (line 1:12): invalid value for int32 field nights: \"three\"\nhotel.Request has the fields: roomType, nights\n"}},
		"unknown workflow": {args: []string{"room-prize"}, want: krtResult{code: ExitFailed,
			err: "Error: version \"hotel\" has no workflow \"room-prize\"; did you mean \"room-price\"?\nIt has: room-price, cancel-room, wait\n"}},
		"handler error": {args: []string{"cancel-room"}, want: krtResult{code: ExitFailed,
			err: "Error: INTERNAL: error in 'model': no such room\nreason HANDLER_ERROR, node model, workflow cancel-room, version hotel\n"}},
		"too late": {args: []string{"wait", "--timeout", "1ms"}, want: krtResult{code: ExitFailed,
			err: "Error: DEADLINE_EXCEEDED: no answer within 1ms\n"}},
		"negative timeout": {args: []string{"wait", "--timeout", "-1s"}, want: krtResult{code: ExitUsage,
			err: "Error: invalid --timeout -1s: must not be negative\nRun 'kn-krt invoke --help' for usage.\n"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			args := append([]string{"invoke", "--address", address}, test.args...)
			require.Equal(t, test.want, runKrt(t.Context(), test.input, args...))
		})
	}
}

func TestInvokeErrorAsJSON(t *testing.T) {
	got := runKrt(t.Context(), "", "invoke", "cancel-room", "-o", "json", "--address", serveVersion(t))
	require.Equal(t, ExitFailed, got.code)
	require.Empty(t, got.err)
	require.JSONEq(t, `{"error": {"code": "INTERNAL", "message": "error in 'model': no such room", "reason": "HANDLER_ERROR",
		"metadata": {"node": "model", "workflow": "cancel-room", "version": "hotel"}}}`, got.out)
}

func TestInvokeMissingFile(t *testing.T) {
	got := runKrt(t.Context(), "", "invoke", "x", "-d", "@nowhere.json")
	require.Equal(t, krtResult{code: ExitFailed, err: "Error: cannot read the request: open nowhere.json: no such file or directory\n"}, got)
}

func TestInvokeNobodyListens(t *testing.T) {
	address := refusedAddress(t)
	got := runKrt(t.Context(), "", "invoke", "x", "--address", address)
	require.Equal(t, krtResult{code: ExitFailed, err: "Error: no version answers at " + address + ": connection refused\n" +
		"Start one with 'kn-krt run', or name another place with --address; one on a cluster with 'kn-krt invoke VERSION WORKFLOW'.\n"}, got)
}

func TestInvokeNoVersion(t *testing.T) {
	address := serve(t, grpc.NewServer())
	got := runKrt(t.Context(), "", "invoke", "x", "--address", address)
	require.Equal(t, krtResult{code: ExitFailed, err: "Error: what listens at " + address + " is no version: it does not know /krt.v1.Version/Describe\n" +
		"Name the version's gRPC address with --address HOST:PORT.\n"}, got)
}

func TestInvokeInterrupted(t *testing.T) {
	got := runKrt(canceled(t), "", "invoke", "wait", "--address", serveVersion(t))
	require.Equal(t, krtResult{code: ExitInterrupted, err: "Interrupted.\n"}, got)
}

func TestCompleteWorkflows(t *testing.T) {
	got := runKrt(t.Context(), "", "__complete", "invoke", "--address", serveVersion(t), "")
	require.Equal(t, ExitOK, got.code)
	require.Equal(t, "room-price\thotel.Entrypoint/Quote\ncancel-room\thotel.Entrypoint/Cancel\nwait\thotel.Entrypoint/Wait\n:4\n", got.out)
}
