package call

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"krt.dev/kn-krt/pkg/cli/term"
)

// prices are the lines of the first n nights.
func prices(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `{"amount":%d,"currency":""}`+"\n", i+1)
	}
	return b.String()
}

const cancelError = `{"error":{"code":"INTERNAL","message":"error in 'model': no such room","reason":"HANDLER_ERROR",` +
	`"metadata":{"node":"model","version":"hotel","workflow":"cancel-room"}},`

func TestInvokeStream(t *testing.T) {
	address := serveVersion(t)
	for name, test := range map[string]struct {
		args []string
		want krtResult
	}{
		"messages":         {[]string{"-d", `{"nights": 3}`}, krtResult{out: prices(3)}},
		"messages as JSON": {[]string{"-d", `{"nights": 3}`, "-o", "json"}, krtResult{out: prices(3)}},
		"an empty stream":  {nil, krtResult{}},
		"an error after all": {[]string{"-d", `{"nights": 15}`}, krtResult{code: term.ExitFailed, out: prices(13), err: "Error: INTERNAL: " +
			"error in 'model': no such room\nafter 13 messages; reason HANDLER_ERROR, node model, workflow cancel-room, version hotel\n"}},
		"an error as JSON": {[]string{"-d", `{"nights": 15}`, "-o", "json"}, krtResult{code: term.ExitFailed,
			out: prices(13) + cancelError + `"messages":13}` + "\n"}},
	} {
		t.Run(name, func(t *testing.T) {
			args := append([]string{"invoke", "nights", "--address", address}, test.args...)
			require.Equal(t, test.want, runKrt(t.Context(), "", args...))
		})
	}
}

func TestTooLate(t *testing.T) {
	late := status.New(codes.DeadlineExceeded, "")
	require.Equal(t, "no response within 2s", newCallFailure(late, 2*time.Second, &streamed{}).Message)
	require.Equal(t, "the stream did not end within 2s", newCallFailure(late, 2*time.Second, &streamed{3}).Message)
	require.Equal(t, "after 1 message", (&streamed{1}).hint(""))
}

func TestInvokeStreamTrace(t *testing.T) {
	address := serveVersion(t)
	got := runKrt(t.Context(), "", "invoke", "nights", "-d", `{"nights": 1}`, "--trace", "--address", address)
	require.Empty(t, got.err)
	require.True(t, strings.HasPrefix(got.out, prices(1)+"\nnode  "), got.out)
	got = runKrt(t.Context(), "", "invoke", "nights", "-d", `{"nights": 1}`, "--trace", "-o", "json", "--address", address)
	require.True(t, strings.HasPrefix(untimed(got.out), prices(1)+`{"messages":1,"took":9,"steps":[{"node":"entrypoint",`), got.out)
	require.Equal(t, 2, strings.Count(got.out, "\n"))
	got = runKrt(t.Context(), "", "invoke", "nights", "-d", `{"nights": 15}`, "--trace", "--address", address)
	require.True(t, strings.HasPrefix(got.out, prices(13)+"\nnode  "), got.out)
}

// A message is printed before the stream has ended.
func TestInvokePrintsAtOnce(t *testing.T) {
	out, in := io.Pipe()
	root := &cobra.Command{Use: "kn-krt", SilenceErrors: true, SilenceUsage: true}
	var errs bytes.Buffer
	root.AddCommand(NewCommand(term.Streams{In: strings.NewReader(""), Out: in, Err: &errs}, nearby{}))
	root.SetArgs([]string{"invoke", "nights", "-d", `{"nights": 14}`, "--address", serveVersion(t)})
	ended := make(chan error, 1)
	go func() { ended <- root.ExecuteContext(t.Context()) }()
	lines := bufio.NewScanner(out)
	for range 13 {
		require.True(t, lines.Scan())
	}
	require.Equal(t, `{"amount":13,"currency":""}`, lines.Text())
	require.Empty(t, ended, "the stream has not ended")
}
