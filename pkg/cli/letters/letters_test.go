package letters

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/cli/term"
	"krt.dev/kn-krt/pkg/letter/port"
	local "krt.dev/kn-krt/pkg/local/running"
)

func TestDeadLetters(t *testing.T) {
	r := serve(t, time.Hour)
	at := []string{"dead-letters", "--address", r.inspect}
	code, out, errs := r.run(t, at...)
	require.Zero(t, code, errs)
	require.Equal(t, "No dead letters found.\n", out)

	id := r.dead(t, `{"text": "tea\u001b[2J"}`)
	code, out, errs = r.run(t, at...)
	require.Zero(t, code, errs)
	require.Regexp(t, `^TIME +WORKFLOW +NODE +REPLAYS +SIZE +ID +ERROR\n\S+ \S+ +order +till +0 +\d+ B +`+id+` +UNAVAILABLE: `, out)
	_, out, _ = r.run(t, append(at, "--workflow", "other")...)
	require.Equal(t, "No dead letters found.\n", out)

	code, out, errs = r.run(t, append(at, id)...)
	require.Zero(t, code, errs)
	for _, want := range []string{"letter    " + id, "node      till, step 1", "caused by 7", "Input of till: shop.Goods", `"text": "tea`} {
		require.Contains(t, out, want)
	}
	require.NotContains(t, out, "\x1b")
	code, out, _ = r.run(t, append(at, id, "-o", "json")...)
	require.Zero(t, code)
	var l port.Letter
	require.NoError(t, json.Unmarshal([]byte(out), &l))
	require.Equal(t, "/krt/shop/v1/entrypoint", l.Event["source"])
	require.Equal(t, "shop.Goods", l.Payload.Type)

	code, out, errs = r.run(t, append(at, id, "--replay")...) // it fails again
	require.Zero(t, code, errs)
	require.Equal(t, id+" is being replayed\n", out)
	require.Eventually(t, func() bool {
		_, out, _ := r.run(t, append(at, id)...)
		return strings.Contains(out, "replays   1")
	}, patient, 10*time.Millisecond)

	r.broken.Store(false)
	require.Eventually(t, func() bool { // the replay before has ended
		code, _, errs = r.run(t, append(at, id, "--replay")...)
		return code == term.ExitOK
	}, patient, 10*time.Millisecond, errs)
	request, _, _ := strings.Cut(id, "/")
	require.Eventually(t, func() bool {
		code, out, _ = r.run(t, "result", "--address", r.inspect, request, "-w")
		return code == term.ExitOK // before, it is the failure of the request
	}, patient, 10*time.Millisecond)
	require.Contains(t, out, `"text":"tea`)
	require.Eventually(t, func() bool {
		code, _, errs = r.run(t, append(at, id)...)
		return code == term.ExitNotFound
	}, patient, 10*time.Millisecond)
	require.Contains(t, errs, "List those that are kept by leaving ID out.")
	code, _, _ = r.run(t, append(at, id, "--delete")...)
	require.Equal(t, term.ExitNotFound, code)
}

func TestAllDeadLetters(t *testing.T) {
	r := serve(t, 0)
	first, second := r.dead(t, `{"text": "1"}`), r.dead(t, `{"text": "2"}`)
	code, out, errs := r.run(t, "dead-letters", "v1", "--all", "--delete", "--workflow", "other")
	require.Zero(t, code, errs)
	require.Equal(t, "No dead letters found.\n", out)
	_, out, errs = r.run(t, "dead-letters", "-n", "shop", "--limit", "1")
	require.Equal(t, 2, strings.Count(out, "\n"))
	require.Contains(t, out, second, "the newest is first")
	require.Contains(t, errs, "There are more: --limit shows up to 1000.")
	code, out, errs = r.run(t, "dead-letters", "v1", "--all", "--delete")
	require.Zero(t, code, errs)
	require.Equal(t, second+" deleted\n"+first+" deleted\n", out)
	code, _, errs = r.run(t, "dead-letters", "v1", first)
	require.Equal(t, term.ExitNotFound, code, errs)
}

func TestUsageOfDeadLetters(t *testing.T) {
	r := &running{}
	id := strings.Repeat("a", 32) + "/0"
	for want, args := range map[string][]string{
		"--replay and --delete exclude each other": {"v1", id, "--replay", "--delete"},
		"--all is for --replay or --delete":        {"v1", "--all"},
		"--all cannot be combined with ID":         {"v1", id, "--all", "--delete"},
		"name the letter by its ID, or give --all": {"v1", "--delete"},
		"--address cannot be combined":             {"v1", "--address", "127.0.0.1:1"},
	} {
		code, _, errs := r.run(t, append([]string{"dead-letters"}, args...)...)
		require.Equal(t, term.ExitUsage, code, want)
		require.Contains(t, errs, want)
	}
	code, _, errs := r.run(t, "dead-letters", "v1", "--limit", "1001")
	require.NotZero(t, code)
	require.Contains(t, errs, `invalid argument "1001" for "--limit" flag`)
	code, _, errs = r.run(t, "dead-letters", "--address", "127.0.0.1:1")
	require.Equal(t, term.ExitFailed, code)
	require.Contains(t, errs, "connection refused")
	require.Contains(t, errs, "Start a version with 'kn-krt run'")
	code, _, errs = r.run(t, "dead-letters", "other")
	require.Equal(t, term.ExitFailed, code)
	require.Contains(t, errs, "there is no version other")
}

// A run with a state folder of its own is not listed, so that none of its addresses says what the others are.
func TestTheWebAddressOfARunThatIsNotListed(t *testing.T) {
	t.Setenv("XDG_STATE_HOME", t.TempDir())
	r := serve(t, 0)
	for _, args := range [][]string{{"dead-letters"}, {"result", strings.Repeat("0", 32)}, {"result", strings.Repeat("0", 32), "-w"}} {
		code, _, errs := r.run(t, append(args, "--address", r.web)...)
		require.Equal(t, term.ExitFailed, code)
		require.Equal(t, "Error: "+strings.TrimPrefix(r.web, "http://")+" is not the inspection port of a version\n"+
			"Name the address that 'kn-krt run' printed after \"inspect\".\n", errs)
	}
}

func TestResult(t *testing.T) {
	r := serve(t, time.Hour)
	id := r.send(t, `{"text": "tea"}`)
	code, out, errs := r.run(t, "result", "v1", id, "-w")
	require.Zero(t, code, errs)
	require.JSONEq(t, `{"text": "tea", "secret": ""}`, out)
	_, out, _ = r.run(t, "result", "--address", r.inspect, id, "-o", "json")
	var l port.Letter
	require.NoError(t, json.Unmarshal([]byte(out), &l))
	require.Equal(t, id, l.ID)

	dead, _, _ := strings.Cut(r.dead(t, `{}`), "/")
	code, _, errs = r.run(t, "result", "v1", dead, "-w")
	require.Equal(t, term.ExitFailed, code)
	require.Contains(t, errs, "the request failed: UNAVAILABLE: ")

	code, _, errs = r.run(t, "result", "v1", strings.Repeat("a", 32))
	require.Equal(t, term.ExitNotFound, code)
	require.Contains(t, errs, "there is no result of request")
	require.Contains(t, errs, "It may still be in work: -w waits for it. ")
	code, _, errs = r.run(t, "result", "v1", strings.Repeat("a", 32), "-w", "--timeout", "1ms")
	require.Equal(t, term.ExitNotFound, code, errs)
	require.Contains(t, errs, "It may still be in work: it was waited for 1ms; --timeout waits longer. ")
}

// What is mistyped is called what it was to be: no id is taken for the name of a version.
func TestMistypedIDs(t *testing.T) {
	r := &running{}
	id := strings.Repeat("a", 32)
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"result", "v1"}, `"v1" is not the ID of a request`},
		{[]string{"result", id[1:]}, `is not the ID of a request`},
		{[]string{"result", "v1", id + "/0"}, `is not the ID of a request`},
		{[]string{"result", id, "v1"}, `"v1" is not the ID of a request`},
		{[]string{"dead-letters", id}, `is not the ID of a dead letter`},
		{[]string{"dead-letters", id[1:] + "/0"}, `is not the ID of a dead letter`},
		{[]string{"dead-letters", "v1", id, "--replay"}, `is not the ID of a dead letter`},
		{[]string{"dead-letters", "v1", id + "/", "--delete"}, `is not the ID of a dead letter`},
	} {
		code, _, errs := r.run(t, c.args...)
		require.Equal(t, term.ExitUsage, code, c.args)
		require.Contains(t, errs, c.want, c.args)
		require.Contains(t, errs, "An ID is ", c.args)
	}
	code, _, errs := r.run(t, "dead-letters", "aaaa")
	require.Equal(t, term.ExitFailed, code)
	require.Contains(t, errs, `"aaaa" is not the ID of what is kept here, nor a version: `)
	require.Contains(t, errs, "'kn-krt dead-letters' lists what is kept here.")
}

// One address of a run is enough for every verb.
func TestAnyAddressOfARun(t *testing.T) {
	r := serve(t, time.Hour)
	id := r.send(t, `{"text": "tea"}`)
	t.Setenv("XDG_STATE_HOME", t.TempDir())
	for _, name := range []string{"v1", "v2"} {
		dir := filepath.Join(os.Getenv("XDG_STATE_HOME"), "kn-krt", name)
		require.NoError(t, os.MkdirAll(filepath.Join(dir, "run"), 0o700))
		require.NoError(t, local.Write(dir, local.Run{
			Version: name, Path: "/" + name, GRPC: map[string]string{"v1": "127.0.0.1:9000", "v2": "127.0.0.1:9001"}[name],
			Web: strings.TrimPrefix(r.web, "http://"), Inspection: r.inspect,
		}))
	}
	code, _, errs := r.run(t, "result", id, "-w")
	require.Equal(t, term.ExitFailed, code)
	require.Contains(t, errs, "Name one:\n  --address 127.0.0.1:9000  (v1 in /v1)")
	code, out, errs := r.run(t, "result", id, "-w", "--address", "127.0.0.1:9000")
	require.Zero(t, code, errs)
	require.JSONEq(t, `{"text": "tea", "secret": ""}`, out)
	code, _, errs = r.run(t, "dead-letters", "v2")
	require.Equal(t, term.ExitFailed, code)
	require.Contains(t, errs, "For the one that runs on this machine, leave NAME out: 'kn-krt dead-letters'.")
}

// Nobody waits for what a version does not keep: the text says which setting turns it on.
func TestNoResultsAreNotWaitedFor(t *testing.T) {
	r := serve(t, 0)
	id := r.send(t, `{"text": "tea"}`)
	code, _, errs := r.run(t, "result", "v1", id, "-w", "--timeout", "1h")
	require.Equal(t, term.ExitFailed, code)
	require.Contains(t, errs, "the version keeps no results: its spec.entrypoint.results is not set")
	require.Contains(t, errs, "create --results 24h")
}

// That the store is away is said with its cause, and nothing is done.
func TestTheStoreIsAway(t *testing.T) {
	r := serve(t, time.Hour)
	id := r.dead(t, `{}`)
	r.away()
	for _, args := range [][]string{{}, {id}, {id, "--replay"}, {id, "--delete"}, {"--all", "--replay"}} {
		code, out, errs := r.run(t, append([]string{"dead-letters", "--address", r.inspect}, args...)...)
		require.Equal(t, term.ExitFailed, code, args)
		require.Contains(t, errs, "the store does not respond", args)
		require.Empty(t, out)
	}
	request, _, _ := strings.Cut(id, "/")
	code, _, errs := r.run(t, "result", "--address", r.inspect, request)
	require.Equal(t, term.ExitFailed, code)
	require.Contains(t, errs, "the store does not respond")
}

// The port itself refuses what is no letter, and what is beyond its bounds.
func TestRequestsThatThePortRefuses(t *testing.T) {
	r := serve(t, time.Hour)
	id := r.dead(t, `{}`)
	for _, c := range []struct {
		method, path string
		want         int
		text         string
	}{
		{http.MethodGet, "/letters/other", http.StatusNotFound, "is not result or dead"},
		{http.MethodGet, "/letters/claim", http.StatusNotFound, "is not result or dead"},
		{http.MethodDelete, "/letters/claim/" + id, http.StatusNotFound, "is not result or dead"},
		{http.MethodGet, "/letters/dead?limit=0", http.StatusBadRequest, "limit: it must be from 1 to 1000"},
		{http.MethodGet, "/letters/dead?limit=1001", http.StatusBadRequest, "limit: "},
		{http.MethodGet, "/letters/dead?limit=x", http.StatusBadRequest, "limit: "},
		{http.MethodGet, "/letters/dead?before=%00x", http.StatusBadRequest, "cursor: "},
		{http.MethodGet, "/letters/dead/a%20b", http.StatusBadRequest, "is not the id of a letter"},
		{http.MethodGet, "/letters/dead/" + strings.Repeat("a", 201), http.StatusBadRequest, "is not the id of a letter"},
		{http.MethodDelete, "/letters/dead/a%00b", http.StatusBadRequest, "is not the id of a letter"},
		{http.MethodGet, "/letters/dead/", http.StatusBadRequest, `id: "" is not the id of a letter`},
		{http.MethodDelete, "/letters/result/", http.StatusBadRequest, `id: "" is not the id of a letter`},
		{http.MethodGet, "/letters/dead/a/0", http.StatusNotFound, "no letter with this id is kept"},
		{http.MethodPost, "/letters/dead/a/0/replay", http.StatusNotFound, "there is none"},
		{http.MethodPost, "/letters/dead/" + id, http.StatusMethodNotAllowed, ""},
		{http.MethodGet, "/letters/dead/" + id, http.StatusOK, `"kind":"dead"`},
	} {
		request, err := http.NewRequestWithContext(t.Context(), c.method, "http://"+r.inspect+c.path, http.NoBody)
		require.NoError(t, err)
		response, err := http.DefaultClient.Do(request)
		require.NoError(t, err)
		text, err := io.ReadAll(response.Body)
		_ = response.Body.Close()
		require.NoError(t, err)
		require.Equal(t, c.want, response.StatusCode, "%s %s: %s", c.method, c.path, text)
		require.Contains(t, string(text), c.text)
	}
}
