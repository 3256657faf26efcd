package backlog

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/cli/term"
	"krt.dev/kn-krt/pkg/inspection"
	"krt.dev/kn-krt/pkg/queue"
	"krt.dev/kn-krt/pkg/queue/port"
)

// versions has one version, with this report.
type versions struct {
	report  *port.Report
	dropped []string // the queries of the drops
	asked   string
}

func (v *versions) Flags(cmd *cobra.Command) { cmd.Flags().StringP("namespace", "n", "", "") }

func (v *versions) Complete(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return nil, cobra.ShellCompDirectiveNoFileComp
}

func (v *versions) CompleteNames(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return nil, cobra.ShellCompDirectiveNoFileComp
}

func (v *versions) Queue(cmd *cobra.Command, version string, f func(context.Context, *inspection.Client) error) error {
	v.asked = version
	mux := http.NewServeMux()
	mux.HandleFunc("GET /queue", func(w http.ResponseWriter, _ *http.Request) { _ = json.NewEncoder(w).Encode(v.report) })
	mux.HandleFunc("DELETE /queue", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("node") == "none" {
			http.Error(w, "the queue has no step of a node \"none\"", http.StatusNotFound)
			return
		}
		v.dropped = append(v.dropped, r.URL.RawQuery)
		_ = json.NewEncoder(w).Encode(port.Dropped{Events: 7})
	})
	server := httptest.NewServer(mux)
	defer server.Close()
	at, err := inspection.New(server.URL, server.Client())
	if err != nil {
		return err
	}
	return f(cmd.Context(), at)
}

// run runs the verb, at a terminal if in is not nil.
func run(t *testing.T, v *versions, in io.Reader, args ...string) (code int, out, errs string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	root := &cobra.Command{Use: "kn-krt", SilenceErrors: true, SilenceUsage: true}
	root.AddCommand(NewCommand(term.Streams{In: in, Out: &stdout, Err: &stderr, Ask: in != nil}, v))
	root.SetArgs(append([]string{"queue"}, args...))
	code = term.Exit(t.Context(), &stderr, root.ExecuteContext(t.Context()))
	return code, stdout.String(), stderr.String()
}

func someReport() *port.Report {
	return &port.Report{Status: queue.Status{
		Stream: "KRT_team_v1", Events: 1234, Bytes: 3 << 20, MaxBytes: 256 << 20, Replicas: 1,
		Steps: []queue.StepStatus{
			{Workflow: "price", Index: 0, Node: "etl"},
			{Workflow: "price", Index: 1, Node: "model", Waiting: 1200, Work: 30, Redelivered: 4, Dead: 5, Oldest: time.Now().Add(-time.Hour)},
			{Workflow: "price", Index: 2, Node: "old\x1b[2J", Waiting: 4, Former: true},
			{Workflow: "price", Index: 2, Node: queue.Postbox},
		},
	}}
}

func TestTable(t *testing.T) {
	v := &versions{report: someReport()}
	code, out, errs := run(t, v, nil, "v1")
	require.Zero(t, code, errs)
	require.Equal(t, "v1", v.asked)
	var rows []string
	for line := range strings.Lines(out) {
		rows = append(rows, strings.Join(strings.Fields(line), " "))
	}
	require.Equal(t, []string{
		"WORKFLOW NODE WAITING IN WORK REDELIVERED OLDEST DEAD", "price etl 0 0 0 - 0",
	}, rows[:2])
	require.Regexp(t, `^price model 1200 30 4 1h\d+m\d+s 5$`, rows[2])
	require.NotContains(t, out, "\x1b")
	require.Contains(t, rows[3], "(former step 3) 4 0 0 - 0")
	require.Equal(t, []string{"", "1234 events, 3.0 MiB of 256.0 MiB."}, rows[4:], "a postbox that is empty is not shown")
	require.Equal(t, "Nothing fetches the events of former steps: the version does not have them any more.\n", errs)

	v.report.Steps[3].Waiting, v.report.More, v.report.Problem = 1, true, "the store is away"
	code, out, errs = run(t, v, nil)
	require.Zero(t, code)
	require.Empty(t, v.asked, "the published one")
	require.Contains(t, out, queue.Postbox)
	for _, text := range []string{
		"There are more dead letters", "Warning: the store is away\n", queue.Postbox + " are results and dead letters",
	} {
		require.Contains(t, errs, text)
	}
}

func TestJSON(t *testing.T) {
	v := &versions{report: someReport()}
	code, out, _ := run(t, v, nil, "v1", "-o", "json")
	require.Zero(t, code)
	var got port.Report
	require.NoError(t, json.Unmarshal([]byte(out), &got))
	require.Equal(t, v.report.Steps[1].Dead, got.Steps[1].Dead)
	require.EqualValues(t, 1234, got.Events)
}

func TestDrop(t *testing.T) {
	v := &versions{report: someReport()}
	code, _, errs := run(t, v, nil, "drop", "v1", "--node", "model")
	require.Equal(t, term.ExitFailed, code)
	require.Equal(t, "1230 events in the queue\nError: nothing was dropped\nAdd --yes to drop them.\n", errs)
	code, _, errs = run(t, v, strings.NewReader("n\n"), "drop", "v1")
	require.Equal(t, term.ExitFailed, code)
	require.Contains(t, errs, "1234 events in the queue\n")
	require.Empty(t, v.dropped)

	code, out, errs := run(t, v, strings.NewReader("y\n"), "drop", "v1", "--workflow", "price")
	require.Zero(t, code, errs)
	require.Equal(t, "7 events dropped\n", out)
	code, _, errs = run(t, v, nil, "drop", "v1", "--workflow", "price", "--node", "model", "--yes")
	require.Zero(t, code, errs)
	require.Equal(t, []string{"workflow=price", "node=model&workflow=price"}, v.dropped)

	v.asked = "nobody"
	code, _, errs = run(t, v, nil, "drop", "", "--yes")
	require.Equal(t, term.ExitUsage, code)
	require.Contains(t, errs, "Error: NAME is empty")
	require.Equal(t, "nobody", v.asked, "not the published version")

	code, _, errs = run(t, v, nil, "drop", "v1", "--node", "none", "-y")
	require.Equal(t, term.ExitNotFound, code)
	require.Contains(t, errs, `Error: cannot drop events: the queue has no step of a node "none"`)
}
