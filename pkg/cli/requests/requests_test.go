package requests

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"

	"krt.dev/kn-krt/pkg/cli/term"
	"krt.dev/kn-krt/pkg/inspection"
	"krt.dev/kn-krt/pkg/local/running"
)

// result is what a run of the program left behind.
type result struct {
	code     int
	out, err string
}

// nearby are versions on a cluster.
type nearby map[string]*Running

func (nearby) Flags(cmd *cobra.Command) { cmd.Flags().StringP("namespace", "n", "", "") }

func (nearby) Named(cmd *cobra.Command) bool { return cmd.Flag("namespace").Changed }

func (n nearby) Requests(_ *cobra.Command, version string, _ inspection.Filter) (*Running, error) {
	if n[version] == nil {
		return nil, errors.New("there is no version " + version)
	}
	return n[version], nil
}

func (n nearby) Complete(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return []string{"hotel-v1"}, cobra.ShellCompDirectiveNoFileComp
}

func (n nearby) CompleteNames(_ *cobra.Command, _ []string, kind string) ([]string, cobra.ShellCompDirective) {
	return []string{"some-" + kind}, cobra.ShellCompDirectiveNoFileComp
}

func runKrt(ctx context.Context, n nearby, args ...string) result {
	var out, errs bytes.Buffer
	root := &cobra.Command{Use: "kn-krt", SilenceErrors: true, SilenceUsage: true}
	root.SetOut(&out)
	root.AddCommand(NewCommand(term.Streams{Out: &out, Err: &errs}, n))
	root.SetArgs(append([]string{"requests"}, args...))
	code := term.Exit(ctx, &errs, root.ExecuteContext(ctx))
	return result{code: code, out: out.String(), err: errs.String()}
}

// longID is an id as entrypoints make them.
const longID = "4f0c1d2e83ab45d0a2cf6be0b6f0d1aa"

// keep serves requests as an entrypoint does, and returns its address.
func keep(t *testing.T, all ...inspection.Request) string {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /requests", func(w http.ResponseWriter, r *http.Request) {
		f, follow, err := inspection.ParseFilter(r.URL.Query())
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		out := json.NewEncoder(w)
		if follow {
			_ = out.Encode(inspection.Line{Lost: 2})
		}
		list := inspection.List{Requests: []inspection.Request{}}
		for _, one := range all {
			switch {
			case !f.Match(&one):
			case follow:
				_ = out.Encode(inspection.Line{Request: &one})
			default:
				list.Requests = append(list.Requests, one)
			}
		}
		if !follow {
			_ = out.Encode(list)
		}
	})
	mux.HandleFunc("GET /requests/{id}", func(w http.ResponseWriter, r *http.Request) {
		for _, one := range all {
			if one.ID == r.PathValue("id") {
				_ = json.NewEncoder(w).Encode(one)
				return
			}
		}
		http.Error(w, "it is not kept", http.StatusNotFound)
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}

func TestRequestsOfALocalRun(t *testing.T) {
	address := keep(t, priced(), failed())
	got := runKrt(t.Context(), nil, "--address", address)
	require.Equal(t, term.ExitOK, got.code)
	require.Regexp(t, `^TIME +WORKFLOW +CODE +DURATION +STEPS +ID +ERROR\n`, got.out)
	require.Equal(t, 3, strings.Count(got.out, "\n"))

	got = runKrt(t.Context(), nil, "--address", address, "--failed", "--slow", "10ms", "--node", "model", "--limit", "5")
	require.Equal(t, 2, strings.Count(got.out, "\n"))
	require.Contains(t, got.out, "INTERNAL")
	require.Equal(t, result{out: "No requests found. None has the workflow \"other\"; those that are kept have: room-price.\n"},
		runKrt(t.Context(), nil, "--address", address, "--workflow", "other"))
	require.Equal(t, result{out: "No requests found. None has the node \"modell\"; those that are kept have: etl, model.\n"},
		runKrt(t.Context(), nil, "--address", address, "--node", "modell"))
	require.Equal(t, result{out: "No requests found.\n"}, runKrt(t.Context(), nil, "--address", address, "--slow", "1h"))

	got = runKrt(t.Context(), nil, "--address", address, "-o", "json")
	var one inspection.Request
	require.NoError(t, json.Unmarshal([]byte(strings.Split(got.out, "\n")[1]), &one))
	require.Equal(t, "5a", one.ID)

	got = runKrt(t.Context(), nil, "--address", address, "5a")
	require.Contains(t, got.out, "request   5a\n")
	got = runKrt(t.Context(), nil, "--address", address, "5a", "-o", "json")
	require.NoError(t, json.Unmarshal([]byte(got.out), &one))
	require.Equal(t, result{code: term.ExitNotFound, err: "Error: cannot get request \"6b\": it is not kept\n" +
		"'kn-krt requests' lists those that are kept.\n"}, runKrt(t.Context(), nil, "--address", address, "6b"))

	got = runKrt(t.Context(), nil, "--address", address, "-f")
	require.Equal(t, "Warning: 2 requests not shown: they came faster than they were read\nThe version has stopped.\n", got.err)
	require.Equal(t, 2, strings.Count(got.out, "\n"))
	require.Contains(t, got.out, "id=5a  node model: HANDLER_ERROR: no such room \\x1b[2J\n")
	got = runKrt(t.Context(), nil, "--address", address, "-f", "-o", "json")
	require.True(t, strings.HasPrefix(got.out, `{"id":"4f0c1d2e",`))
}

func TestTheLocalRunIsFound(t *testing.T) {
	home := t.TempDir()
	t.Setenv("XDG_STATE_HOME", home)
	start := func(name, address, port string) {
		dir := filepath.Join(home, "kn-krt", name)
		require.NoError(t, os.MkdirAll(filepath.Join(dir, "run"), 0o700))
		require.NoError(t, running.Write(dir, running.Run{
			Version: name, Path: "/" + name, GRPC: "0.0.0.0:9" + port, Web: "127.0.0.1:8" + port, Inspection: address,
		}))
	}
	kept := priced()
	kept.ID = longID
	address := keep(t, kept)
	start("one-v1", address, "000")
	require.Contains(t, runKrt(t.Context(), nil).out, longID)
	require.Contains(t, runKrt(t.Context(), nil, longID).out, "request   "+longID)
	from, err := Local(t.Context(), "kn-krt", "", "localhost:9000")
	require.NoError(t, err)
	require.Equal(t, "kn-krt requests", from.Show)
	_, err = from.Get(t.Context(), longID)
	require.NoError(t, err)

	other := keep(t)
	start("two-v1", other, "001")
	require.Equal(t, result{code: term.ExitFailed, err: "Error: several versions run on this machine\nName one:\n" +
		"  --address 127.0.0.1:9000  (one-v1 in /one-v1)\n  --address 127.0.0.1:9001  (two-v1 in /two-v1)\n"}, runKrt(t.Context(), nil))
	// Any address that a run printed names it.
	for _, named := range []string{address, "127.0.0.1:9000", "localhost:9000", "127.0.0.1:8000", "http://127.0.0.1:8000/_krt/"} {
		require.Contains(t, runKrt(t.Context(), nil, longID, "--address", named).out, "request   "+longID, named)
		require.Equal(t, "127.0.0.1:9000", GRPCAt(t.Context(), named))
		to, err := LocalWeb(t.Context(), "kn-krt", hostPort(named))
		require.NoError(t, err)
		require.Equal(t, "127.0.0.1:8000", to.Address)
		require.Equal(t, "kn-krt result --address 127.0.0.1:9000", to.Result)
	}
	require.Equal(t, "No requests found.\n", runKrt(t.Context(), nil, "--address", "127.0.0.1:9001").out)
	require.Equal(t, "192.0.2.1:9000", GRPCAt(t.Context(), "192.0.2.1:9000"), "one that is not listed is itself")
}

// startRun writes what a run of a version writes, and returns what keeps its requests.
func startRun(t *testing.T, name, grpc string, kept ...inspection.Request) {
	t.Helper()
	dir := filepath.Join(os.Getenv("XDG_STATE_HOME"), "kn-krt", name)
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "run"), 0o700))
	require.NoError(t, running.Write(dir, running.Run{Version: name, Path: "/" + name, GRPC: grpc, Inspection: keep(t, kept...)}))
}

func TestTheBeginningOfAnIDIsEnough(t *testing.T) {
	t.Setenv("XDG_STATE_HOME", t.TempDir())
	one, two := priced(), priced()
	one.ID, two.ID = longID, "4f0cff"+longID[6:]
	startRun(t, "one-v1", "127.0.0.1:9100", one, two)
	for _, id := range []string{longID[:6], longID[:6] + "…"} {
		require.Contains(t, runKrt(t.Context(), nearby{}, id).out, "request   "+longID)
	}
	require.Contains(t, runKrt(t.Context(), nearby{}, "4f0c").err,
		"Error: the ids of 2 requests begin with \"4f0c\"\nName more of one:\n  4f0c")

	client, err := inspection.New("http://"+keep(t, one), nil)
	require.NoError(t, err)
	require.Contains(t, runKrt(t.Context(), nearby{"hotel-v1": {Source: client}}, "hotel-v1", "4f").out, "request   "+longID)

	// A version on a cluster may be called as one that runs here.
	require.Equal(t, "Error: there is no version one-v1\nNAME is of a version on a cluster. "+
		"For the one that runs on this machine, leave NAME out: 'kn-krt requests'.\n", runKrt(t.Context(), nearby{}, "one-v1").err)
	require.Equal(t, "Error: \"abcd\" is not the ID of what is kept here, nor a version: there is no version abcd\n"+
		"'kn-krt requests' lists what is kept here.\n", runKrt(t.Context(), nearby{}, "abcd").err)
}

func TestTheInspectionAddressMayBeTheURLThatARunPrints(t *testing.T) {
	address := keep(t, priced())
	for _, text := range []string{"http://" + address + "/requests", "http://" + address, address + "/requests", address + "/",
		"http://" + address + "/requests/", "http://" + address + "/_krt", "http://" + address + "/_krt/versions/a"} {
		require.Contains(t, runKrt(t.Context(), nil, "--address", text).out, "4f0c1d2e", text)
	}
	for _, text := range []string{"unix:///tmp/socket", "dns:///example.com:9000", "example.com:9000/other"} {
		require.Equal(t, text, hostPort(text))
	}
}

// Versions may listen at the same port of different addresses: each is called at its own.
func TestRunsOnSeveralAddresses(t *testing.T) {
	t.Setenv("XDG_STATE_HOME", t.TempDir())
	startRun(t, "one-v1", "127.0.0.1:9000")
	kept := priced()
	kept.ID = longID
	startRun(t, "two-v1", "127.0.0.2:9000", kept)
	require.Equal(t, "127.0.0.2:9000", GRPCAt(t.Context(), "127.0.0.2:9000"))
	require.Contains(t, runKrt(t.Context(), nil, longID, "--address", "127.0.0.2:9000").out, "request   "+longID)
}

func TestAnotherPortIsNotTheInspectionPort(t *testing.T) {
	other := httptest.NewServer(http.NotFoundHandler())
	defer other.Close()
	grpcServer := grpc.NewServer()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	go func() { _ = grpcServer.Serve(listener) }()
	defer grpcServer.Stop()
	for _, address := range []string{strings.TrimPrefix(other.URL, "http://"), listener.Addr().String()} {
		for _, id := range [][]string{nil, {longID}} {
			require.Equal(t, result{code: term.ExitFailed, err: "Error: " + address + " is not the inspection port of a version\n" +
				"Name the address that 'kn-krt run' printed after \"inspect\".\n"},
				runKrt(t.Context(), nil, append(id, "--address", address)...))
		}
	}
}

func TestTheGRPCAddressOfTheLocalRun(t *testing.T) {
	t.Setenv("XDG_STATE_HOME", t.TempDir())
	const usual = "127.0.0.1:9000"
	requireGRPC := func(want string) {
		got, err := GRPC(t.Context(), usual)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	requireGRPC(usual)
	startRun(t, "one-v1", "[::]:9100")
	requireGRPC("127.0.0.1:9100")
	startRun(t, "two-v1", "127.0.0.1:9200")
	_, err := GRPC(t.Context(), usual)
	require.ErrorIs(t, err, errSeveral)
	require.Equal(t, "Name one:\n  --address 127.0.0.1:9100  (one-v1 in /one-v1)\n  --address 127.0.0.1:9200  (two-v1 in /two-v1)",
		term.HintOf(err))
	startRun(t, "usual-v1", usual)
	requireGRPC(usual)
}

func TestWithoutARunThereIsAHint(t *testing.T) {
	got := runKrt(t.Context(), nil, "--address", "127.0.0.1:1")
	require.Equal(t, result{code: term.ExitFailed, err: "Error: no version keeps requests at 127.0.0.1:1: connect: connection refused\n" +
		"Start one with 'kn-krt run', name an address that it printed with --address, " +
		"or read the requests of a version on a cluster with 'kn-krt requests VERSION'.\n"}, got)
}

func TestRequestsOnACluster(t *testing.T) {
	unkept := priced()
	unkept.Inspected = false
	client, err := inspection.New("http://"+keep(t, unkept), nil)
	require.NoError(t, err)
	n := nearby{"hotel-v1": {Source: client, Unkept: "Ask for it."}, "": {Source: client}}
	got := runKrt(t.Context(), n, "hotel-v1")
	require.Contains(t, got.out, "4f0c1d2e")
	got = runKrt(t.Context(), n, "-n", "ns")
	require.Contains(t, got.out, "4f0c1d2e")
	got = runKrt(t.Context(), n, "hotel-v1", "4f0c1d2e")
	require.Contains(t, got.out, "\nIts messages were not kept.\nAsk for it.\n")
	require.Equal(t, "Error: there is no version hotel-v2\n", runKrt(t.Context(), n, "hotel-v2").err)
}

func TestRequestsUsage(t *testing.T) {
	for args, want := range map[string]string{
		"a b c":                          "expected at most NAME ID, got 3 arguments",
		"a --slow -1s":                   "--slow must not be negative",
		"a --limit 257":                  `invalid argument "257" for "--limit" flag: must be a whole number from 0 to 256`,
		"a b --address 127.0.0.1:1":      "--address cannot be combined with NAME or with flags for a cluster",
		"-n ns --address 127.0.0.1:1":    "--address cannot be combined with NAME or with flags for a cluster",
		"hotel-v1 4f0c -f":               "--follow cannot be combined with ID",
		longID + " --failed":             "--failed cannot be combined with ID",
		"--address 127.0.0.1:1/x%zz":     "",
		"hotel-v1 4f0c --workflow price": "--workflow cannot be combined with ID",
	} {
		got := runKrt(t.Context(), nil, strings.Fields(args)...)
		require.NotEqual(t, term.ExitOK, got.code, args)
		require.Contains(t, got.err, want)
	}
}

func TestCompletion(t *testing.T) {
	client, err := inspection.New("http://"+keep(t, priced(), failed()), nil)
	require.NoError(t, err)
	near := nearby{"hotel-v1": {Source: client}}
	complete := func(args ...string) string {
		var out bytes.Buffer
		root := &cobra.Command{Use: "kn-krt"}
		root.SetOut(&out)
		root.SetErr(&bytes.Buffer{})
		root.AddCommand(NewCommand(term.Streams{Out: &out}, near))
		root.SetArgs(append([]string{cobra.ShellCompRequestCmd, "requests"}, args...))
		require.NoError(t, root.ExecuteContext(t.Context()))
		return out.String()
	}
	require.Equal(t, "hotel-v1\n:4\n", complete(""))
	require.Equal(t, "4f0c1d2e\troom-price OK\n5a\troom-price INTERNAL\n:36\n", complete("hotel-v1", ""))
	require.Equal(t, ":4\n", complete("hotel-v2", ""))
	require.Equal(t, ":4\n", complete("hotel-v1", "5a", ""))
	require.Equal(t, "4f0c1d2e\troom-price OK\n:36\n", complete("--address", keep(t, priced()), ""))
	require.Equal(t, "some-node\n:4\n", complete("hotel-v1", "--node", ""))
	require.Equal(t, "some-workflow\n:4\n", complete("hotel-v1", "--workflow", ""))
}
