package call

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"

	"krt.dev/kn-krt/pkg/cli/requests"
	"krt.dev/kn-krt/pkg/cli/term"
	"krt.dev/kn-krt/pkg/inspection"
)

// krtResult is what a run of the program left behind.
type krtResult struct {
	code     int
	out, err string
}

// nearby is a version on a cluster that this machine can reach at an address.
type nearby struct {
	version, address string
	requests         *requests.Running // those that it keeps
}

func (nearby) Flags(*cobra.Command) {}

func (nearby) Named(*cobra.Command) bool { return false }

func (n nearby) Reach(_ *cobra.Command, version string) (string, func(), error) {
	if version != n.version {
		return "", nil, errors.New("there is no version " + version)
	}
	return n.address, func() {}, nil
}

func (n nearby) ReachWeb(_ *cobra.Command, version string) (requests.Web, error) {
	if version != n.version {
		return requests.Web{}, errors.New("there is no version " + version)
	}
	return requests.Web{Address: n.address, Result: "kn krt result " + version, Release: func() {}}, nil
}

func (n nearby) Complete(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return []string{n.version}, cobra.ShellCompDirectiveNoFileComp
}

func (n nearby) CompleteNames(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return nil, cobra.ShellCompDirectiveNoFileComp
}

func (n nearby) Requests(*cobra.Command, string, inspection.Filter) (*requests.Running, error) {
	return n.requests, nil
}

// runKrt runs a command line that has only invoke, with input on its standard input.
func runKrt(ctx context.Context, input string, args ...string) krtResult {
	return runNear(ctx, nearby{}, input, args...)
}

func runNear(ctx context.Context, n nearby, input string, args ...string) krtResult {
	var out, errs bytes.Buffer
	root := &cobra.Command{Use: "kn-krt", SilenceErrors: true, SilenceUsage: true}
	root.SetOut(&out)
	root.AddCommand(NewCommand(term.Streams{In: strings.NewReader(input), Out: &out, Err: &errs}, n))
	root.SetArgs(args)
	code := term.Exit(ctx, &errs, root.ExecuteContext(ctx))
	return krtResult{code: code, out: out.String(), err: errs.String()}
}

func TestInvoke(t *testing.T) {
	address := serveVersion(t)
	file := filepath.Join(t.TempDir(), "request.json")
	require.NoError(t, os.WriteFile(file, []byte(`{"nights": 4}`), 0o600))

	response := func(amount string) string {
		return "{\n  \"amount\": " + amount + ",\n  \"currency\": \"\"\n}\n"
	}
	tests := map[string]struct {
		input string
		args  []string
		want  krtResult
	}{
		"by workflow": {args: []string{"room-price", "-d", `{"nights": 3}`}, want: krtResult{out: response("3")}},
		"by rpc":      {args: []string{"Quote", "-d", `{"nights": 3}`}, want: krtResult{out: response("3")}},
		"by full rpc": {args: []string{"hotel.Entrypoint/Quote", "-d", `{"nights": 3}`}, want: krtResult{out: response("3")}},
		"empty":       {args: []string{"room-price"}, want: krtResult{out: response("0")}},
		"from input":  {input: `{"nights": 5}`, args: []string{"room-price", "-d", "-"}, want: krtResult{out: response("5")}},
		"from file":   {args: []string{"room-price", "-d", "@" + file}, want: krtResult{out: response("4")}},
		"as json":     {args: []string{"room-price", "-o", "json"}, want: krtResult{out: `{"amount":0,"currency":""}` + "\n"}},
		"unknown field": {args: []string{"room-price", "-d", `{"night": 3}`}, want: krtResult{code: term.ExitFailed,
			err: "Error: cannot read the request as hotel.Request: (line 1:2): unknown field \"night\"\n" +
				"Fields of hotel.Request: roomType, nights\n"}},
		"wrong value": {args: []string{"room-price", "-d", `{"nights": "three"}`}, want: krtResult{code: term.ExitFailed,
			err: "Error: cannot read the request as hotel.Request: (line 1:12): invalid value for int32 field nights: \"three\"\n" +
				"Fields of hotel.Request: roomType, nights\n"}},
		"unknown workflow": {args: []string{"room-prize"}, want: krtResult{code: term.ExitNotFound,
			err: "Error: version \"hotel\" has no workflow \"room-prize\"; did you mean \"room-price\"?\n" +
				"Its workflows: room-price, cancel-room, wait, never, nights\n"}},
		"handler error": {args: []string{"cancel-room"}, want: krtResult{code: term.ExitFailed,
			err: "Error: INTERNAL: error in 'model': no such room\nreason HANDLER_ERROR, node model, workflow cancel-room, version hotel\n"}},
		"too late": {args: []string{"wait", "--timeout", "1ms"}, want: krtResult{code: term.ExitFailed,
			err: "Error: DEADLINE_EXCEEDED: no response within 1ms\n"}},
		"negative timeout": {args: []string{"wait", "--timeout", "-1s"}, want: krtResult{code: term.ExitUsage,
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
	require.Equal(t, term.ExitFailed, got.code)
	require.Empty(t, got.err)
	require.JSONEq(t, `{"error": {"code": "INTERNAL", "message": "error in 'model': no such room", "reason": "HANDLER_ERROR",
		"metadata": {"node": "model", "workflow": "cancel-room", "version": "hotel"}}}`, got.out)
}

func TestInvokeMissingFile(t *testing.T) {
	got := runKrt(t.Context(), "", "invoke", "x", "-d", "@nowhere.json")
	require.Equal(t, krtResult{code: term.ExitFailed,
		err: "Error: cannot read the request: open nowhere.json: no such file or directory\n"}, got)
}

func TestInvokeEndlessFile(t *testing.T) {
	got := runKrt(t.Context(), "", "invoke", "x", "-d", "@/dev/zero")
	require.Equal(t, krtResult{code: term.ExitFailed,
		err: "Error: cannot read the request: /dev/zero is larger than 67108864 bytes\n"}, got)
	_, err := readRequest(endless{}, "-")
	require.EqualError(t, err, "cannot read the request from standard input: it is larger than 67108864 bytes")
}

// endless is an input without an end.
type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

func TestInvokeNothingListens(t *testing.T) {
	address := refusedAddress
	got := runKrt(t.Context(), "", "invoke", "x", "--address", address)
	require.Equal(t, krtResult{code: term.ExitFailed, err: "Error: no version is running at " + address + ": connection refused\n" +
		"Start one with 'kn-krt run', name another address with --address, " +
		"or call a version on a cluster with 'kn-krt invoke VERSION WORKFLOW'.\n"}, got)
}

func TestInvokeNoVersion(t *testing.T) {
	address := serve(t, grpc.NewServer())
	got := runKrt(t.Context(), "", "invoke", "x", "--address", address)
	require.Equal(t, krtResult{code: term.ExitFailed, err: "Error: the server at " + address +
		" is not a version: it does not implement /krt.v1.Version/Describe\n" +
		"Name the version's gRPC address with --address HOST:PORT.\n"}, got)
}

func TestInvokeInterrupted(t *testing.T) {
	got := runKrt(canceled(t), "", "invoke", "wait", "--address", serveVersion(t))
	require.Equal(t, krtResult{code: term.ExitInterrupted, err: "Interrupted.\n"}, got)
}

func TestCompleteWorkflows(t *testing.T) {
	got := runKrt(t.Context(), "", "__complete", "invoke", "--address", serveVersion(t), "")
	require.Equal(t, term.ExitOK, got.code)
	require.Equal(t, "room-price\thotel.Entrypoint/Quote\ncancel-room\thotel.Entrypoint/Cancel\n"+
		"wait\thotel.Entrypoint/Wait\nnever\thotel.Entrypoint/Refuse\n"+
		"nights\thotel.Entrypoint/Nights\n:4\n", got.out)
}

func TestInvokeOnCluster(t *testing.T) {
	near := nearby{version: "hotel-v1", address: serveVersion(t)}
	got := runNear(t.Context(), near, "", "invoke", "hotel-v1", "room-price", "-d", `{"nights": 3}`, "-o", "json")
	require.Equal(t, krtResult{out: `{"amount":3,"currency":""}` + "\n"}, got)
	got = runNear(t.Context(), near, "", "invoke", "hotel-v2", "room-price")
	require.Equal(t, krtResult{code: term.ExitFailed, err: "Error: there is no version hotel-v2\n"}, got)
	got = runNear(t.Context(), near, "", "invoke", "hotel-v1", "room-price", "--address", "localhost:1")
	require.Equal(t, krtResult{code: term.ExitUsage, err: "Error: addresses cannot be combined with VERSION or with flags for a cluster\n" +
		"Run 'kn-krt invoke --help' for usage.\n"}, got)
}

// A version whose name could begin an ID is not taken for one where no ID can stand.
func TestAVersionThatIsNotThereIsNoID(t *testing.T) {
	t.Setenv("XDG_STATE_HOME", t.TempDir())
	got := runKrt(t.Context(), "", "invoke", "cafe", "greet")
	require.Equal(t, krtResult{code: term.ExitFailed, err: "Error: there is no version cafe\n"}, got)
}
