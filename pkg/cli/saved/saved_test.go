package saved

import (
	"bytes"
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/cli/term"
	"krt.dev/kn-krt/pkg/local"
	"krt.dev/kn-krt/pkg/local/running"
	"krt.dev/kn-krt/pkg/store"
	"krt.dev/kn-krt/pkg/store/sqlite"
)

// elsewhere is a cluster, whose store is the file in a state folder.
type elsewhere string

func (elsewhere) Flags(cmd *cobra.Command) { cmd.Flags().StringP("namespace", "n", "", "") }

func (elsewhere) Named(cmd *cobra.Command) bool { return cmd.Flag("namespace").Changed }

func (e elsewhere) Data(cmd *cobra.Command) (*Place, error) {
	client, end, err := local.Data(cmd.Context(), string(e), true)
	return &Place{Client: client, Name: `namespace "kre"`, End: end}, err
}

// result is what a run of the program left behind.
type result struct {
	code     int
	out, err string
}

// program runs the verb with a state home and a cluster of its own.
type program struct {
	*testing.T
	cluster elsewhere
	version string // the folder of a version
	ask     bool
}

func newProgram(t *testing.T) *program {
	t.Setenv("XDG_STATE_HOME", t.TempDir())
	return &program{T: t, cluster: elsewhere(filepath.Join(t.TempDir(), "cluster")), version: t.TempDir()}
}

func (p *program) run(in string, args ...string) result {
	p.Helper()
	var out, errs bytes.Buffer
	root := &cobra.Command{Use: "kn-krt", SilenceErrors: true, SilenceUsage: true}
	root.SetOut(&out)
	root.AddCommand(NewCommand(term.Streams{In: strings.NewReader(in), Out: &out, Err: &errs, Ask: p.ask}, p.cluster))
	root.SetArgs(append([]string{"data"}, args...))
	code := term.Exit(p.Context(), &errs, root.ExecuteContext(p.Context()))
	return result{code: code, out: out.String(), err: errs.String()}
}

// ok is the output of a run that succeeds.
func (p *program) ok(in string, args ...string) string {
	p.Helper()
	r := p.run(in, args...)
	require.Equal(p, term.ExitOK, r.code, r.err)
	return r.out
}

const entries = `{"kind":"documents","collection":"rooms","value":{"_id":"a","n":9007199254740993}}
{"kind":"documents","collection":"rooms","value":{"_id":"b","n":2}}
{"kind":"predictions","value":{"date":"2026-01-02T03:04:05Z","predicted_value":"x","true_value":"y","extra":null,"version":"v1","node":"model","workflow":"flow"}}
{"kind":"measurements","value":{"time":"2026-01-02T03:04:05Z","name":"m","fields":{"x":1},"tags":{"version":"v1"}}}
`

func TestDataMovesToAClusterAndBack(t *testing.T) {
	p := newProgram(t)
	require.Equal(t, "4 saved, 0 skipped\n", p.ok(entries, "import", "--path", p.version))
	lines := p.ok("", "export", "--path", p.version)
	require.Contains(t, lines, "9007199254740993")
	require.Equal(t, "4 saved, 0 skipped\n", p.ok(lines, "import", "-n", "kre"))
	require.Equal(t, lines, p.ok("", "export", "-n", "kre"))
	state := filepath.Join(t.TempDir(), "state")
	p.ok(p.ok("", "export", "-n", "kre"), "import", "--state-dir", state)
	require.Equal(t, lines, p.ok("", "export", "--state-dir", state))
	require.Equal(t, "COLLECTION   DOCUMENTS\nrooms        2\n", p.ok("", "list", "--path", p.version))
	require.Equal(t, `{"_id":"b","n":2}`+"\n", p.ok("", "find", "rooms", "-q", `{"n": 2}`, "--path", p.version))
}

func TestTheRunThatIsThere(t *testing.T) {
	p := newProgram(t)
	serve := func(name, grpc string) {
		dir := t.TempDir()
		db, err := sqlite.Open(filepath.Join(dir, "store.db"), sqlite.Options{})
		require.NoError(t, err)
		socket := filepath.Join(dir, "s")
		listener, err := net.Listen("unix", socket)
		require.NoError(t, err)
		ctx, end := context.WithCancel(context.Background())
		served := make(chan error, 1)
		go func() { served <- store.New(store.All(db), store.Options{}).Serve(ctx, listener) }()
		t.Cleanup(func() { end(); require.NoError(t, <-served); require.NoError(t, db.Close()) })
		root, err := running.Root()
		require.NoError(t, err)
		require.NoError(t, os.MkdirAll(filepath.Join(root, name, "run"), 0o700))
		require.NoError(t, running.Write(filepath.Join(root, name), running.Run{Version: name, Path: "/" + name, GRPC: grpc, Store: socket}))
	}
	require.Equal(t, result{term.ExitFailed, "", "Error: no version runs on this machine\n" +
		"Name one that has stopped with --path, or a namespace of a cluster: 'kn-krt data -n NAMESPACE'.\n"}, p.run("", "list"))
	serve("a-v1", "127.0.0.1:9000")
	require.Equal(t, "4 saved, 0 skipped\n", p.ok(entries, "import"))
	r := p.run("", "delete", "predictions", "--all", "-y")
	require.Equal(t, result{0, "1 deleted\n", "1 prediction, all that are kept, in the local run of a-v1\n"}, r)
	serve("b-v1", "127.0.0.1:9001")
	require.Equal(t, result{term.ExitFailed, "", "Error: several versions run on this machine\n" +
		"Name one:\n  --address 127.0.0.1:9000  (a-v1 in /a-v1)\n  --address 127.0.0.1:9001  (b-v1 in /b-v1)\n"}, p.run("", "list"))
	p.ok("", "list", "--address", "http://localhost:9001")
	require.Contains(t, p.run("", "list", "--address", "localhost:9002").err, "no version runs on this machine with the address")
}

func TestDeletionsAreConfirmed(t *testing.T) {
	p := newProgram(t)
	p.ok(entries, "import", "-n", "kre")
	before := p.ok("", "export", "-n", "kre")
	some := []string{"delete", "documents", "rooms", "-q", `{"n": {"$gt": 2}}`, "-n", "kre"}
	const what = `1 document of the collection "rooms" matching {"n":{"$gt":2}} in namespace "kre"` + "\n"
	require.Equal(t, result{term.ExitFailed, "", what + "Error: the deletion was not confirmed: nothing is deleted\n" +
		"Add --yes to delete them.\n"}, p.run("y\n", some...))
	p.ask = true
	const question = "Delete them? They cannot be restored. [y/N] "
	for _, reply := range []string{"", "\n", "n\n", "yess\n"} {
		require.Equal(t, result{term.ExitFailed, "", what + question + "Error: the deletion was not confirmed: nothing is deleted\n"},
			p.run(reply, some...))
	}
	require.Equal(t, before, p.ok("", "export", "-n", "kre"))
	require.Equal(t, result{0, "1 deleted\n", what + question}, p.run("Yes\n", some...))
	require.Equal(t, result{0, "0 deleted\n", strings.Replace(what, "1 document ", "0 documents ", 1)}, p.run("", some...))
	p.ask = false
	for _, c := range []struct{ what, args string }{
		{`1 document, all of the collection "rooms",`, "documents rooms --all"},
		{`0 measurements with the name "other"`, "measurements --name other"},
		{`1 measurement, all that are kept,`, "measurements --all"},
		{`1 prediction, all that are kept,`, "predictions --all"},
	} {
		r := p.run("", append([]string{"delete", "--yes", "-n", "kre"}, strings.Fields(c.args)...)...)
		require.Equal(t, result{0, c.what[:1] + " deleted\n", c.what + ` in namespace "kre"` + "\n"}, r)
	}
	require.Empty(t, p.ok("", "export", "-n", "kre"))
}

func TestWrongUse(t *testing.T) {
	p := newProgram(t)
	for want, args := range map[string][]string{
		"--path, --address and --state-dir exclude each other":             {"list", "--path", p.version, "--state-dir", "x"},
		"--path, --address and --state-dir cannot be combined with flags":  {"list", "--path", p.version, "-n", "kre"},
		"nothing was saved: no version has run with the state folder":      {"export", "--path", p.version},
		"Name its state folder with --state-dir.":                          {"export", "--path", filepath.Join(p.version, "none")},
		"contains other files: a run needs an empty folder, or that of an": {"import", "--state-dir", "."},
	} {
		r := p.run("", args...)
		require.NotEqual(t, term.ExitOK, r.code)
		require.Contains(t, r.err, want)
	}
}
