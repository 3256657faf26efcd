package call

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"

	"krt.dev/kn-krt/pkg/cli/requests"
	"krt.dev/kn-krt/pkg/cli/term"
	"krt.dev/kn-krt/pkg/inspection"
	"krt.dev/kn-krt/pkg/local/running"
)

// keep serves one request as the inspection port of a version does, and returns its address.
func keep(t *testing.T, r inspection.Request) string {
	t.Helper()
	r.Begin, r.DurationMS = time.Unix(1, 0), 12
	mux := http.NewServeMux()
	mux.HandleFunc("GET /requests/{id}", func(w http.ResponseWriter, got *http.Request) {
		if got.PathValue("id") != r.ID {
			http.Error(w, "it is not kept", http.StatusNotFound)
			return
		}
		_ = json.NewEncoder(w).Encode(r)
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}

// inspectedInTime runs kn-krt with a timeout that is enough for the request 4f0c to be shown: how much that is depends on
// the machine.
func inspectedInTime(t *testing.T, args ...string) (got krtResult, timeout string) {
	t.Helper()
	for _, timeout = range []string{"2s", "8s", "32s"} {
		got = runKrt(t.Context(), "", append(slices.Clone(args), "--timeout", timeout)...)
		if strings.Contains(got.out, "request   4f0c\n") {
			break
		}
	}
	return got, timeout
}

func TestInvokeInspect(t *testing.T) {
	price := &inspection.Payload{Type: "hotel.Price", Size: 9, JSON: json.RawMessage(`{"amount":3}`)}
	r := inspection.Request{
		ID: "4f0c", Workflow: "room-price", Code: "OK", Inspected: true, Output: price,
		Input: &inspection.Payload{Type: "hotel.Request", Size: 2, JSON: json.RawMessage(`{"nights":3}`)},
		Steps: []inspection.Step{{Node: "etl", RunMS: 4, Outcome: "ok", Output: price}},
	}
	version := serveVersion(t)
	args := []string{"invoke", "room-price", "--inspect", "--address", version, "--inspect-address", keep(t, r)}
	got := runKrt(t.Context(), "", args...)
	require.Equal(t, krtResult{out: got.out}, got)
	require.Contains(t, got.out, "  \"currency\": \"\"\n}\n\nrequest   4f0c\n")
	require.Contains(t, got.out, "\nOutput of etl: hotel.Price, 9 B\n  {\n    \"amount\": 3\n  }\n\nResponse: the output of etl\n")

	got = runKrt(t.Context(), "", append(args, "-o", "json")...)
	require.Contains(t, got.out, `{"response":{"amount":0,"currency":""},"request":{"id":"4f0c",`)
	require.Equal(t, 1, strings.Count(got.out, "\n"))

	// An address alone asks for it, too.
	got = runKrt(t.Context(), "", "invoke", "room-price", "--address", version, "--inspect-address", keep(t, r))
	require.Contains(t, got.out, "\n}\n\nrequest   4f0c\n")

	// An early reply whose work goes on.
	r.Early = "reply"
	got, _ = inspectedInTime(t, append(args[:len(args)-1:len(args)-1], keep(t, r))...)
	require.Contains(t, got.out,
		"\nThe work behind the early reply has not ended yet. Once it has, this shows all of it: kn-krt requests --address ")
	require.Contains(t, got.out, " 4f0c\n")
}

func TestInvokeInspectOfAFailure(t *testing.T) {
	r := inspection.Request{
		ID: "4f0c", Code: "INTERNAL", Node: "model", Error: "no such room", Inspected: true,
		Steps: []inspection.Step{{Node: "model", Outcome: "error"}},
	}
	args := []string{"invoke", "cancel-room", "--inspect", "--address", serveVersion(t), "--inspect-address", keep(t, r)}
	got := runKrt(t.Context(), "", args...)
	require.Equal(t, term.ExitFailed, got.code)
	require.Equal(t, "Error: INTERNAL: error in 'model': no such room\n"+
		"reason HANDLER_ERROR, node model, workflow cancel-room, version hotel\n", got.err)
	require.Contains(t, got.out, "\nOutput of model: none, it failed\n")
	got = runKrt(t.Context(), "", append(args, "-o", "json")...)
	require.Contains(t, got.out, "  \"request\": {\n    \"id\": \"4f0c\",\n")

	// What cannot be read is a warning: the call's own error is the one that counts.
	got = runKrt(t.Context(), "", "invoke", "cancel-room", "--inspect", "--address", args[4], "--inspect-address", refusedAddress)
	require.Equal(t, term.ExitFailed, got.code)
	require.Contains(t, got.err, "Warning: the request cannot be shown: no version keeps requests at ")
	require.Contains(t, got.err, "\nError: INTERNAL: error in 'model': no such room\n")
}

// TestInvokeFindsTheOnlyRun: as requests does, at whatever port it is.
func TestInvokeFindsTheOnlyRun(t *testing.T) {
	home := t.TempDir()
	t.Setenv("XDG_STATE_HOME", home)
	dir := filepath.Join(home, "kn-krt", "one-v1")
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "run"), 0o700))
	run := running.Run{Version: "one-v1", Path: "/one-v1", GRPC: serveVersion(t), Inspection: keep(t, inspection.Request{ID: "4f0c"})}
	require.NoError(t, running.Write(dir, run))
	require.Equal(t, term.ExitOK, runKrt(t.Context(), "", "invoke", "room-price").code)
	require.Contains(t, runKrt(t.Context(), "", "invoke", "room-price", "--inspect").out, "request   4f0c\n")
}

// TestInvokeInspectOfACallThatEndsItself: its id comes before the response.
func TestInvokeInspectOfACallThatEndsItself(t *testing.T) {
	r := inspection.Request{
		ID: "4f0c", Code: "DEADLINE_EXCEEDED", Node: "etl", Inspected: true, Steps: []inspection.Step{{Node: "etl", Outcome: "error"}},
	}
	got, timeout := inspectedInTime(t, "invoke", "wait", "--inspect", "--address", serveVersion(t), "--inspect-address", keep(t, r))
	require.Equal(t, term.ExitFailed, got.code)
	require.Equal(t, "Error: DEADLINE_EXCEEDED: no response within "+timeout+"\n", got.err)
	require.Contains(t, got.out, "request   4f0c\n")

	o := invokeOptions{requests: func() (*requests.Running, error) { return &requests.Running{Show: "kn-krt requests"}, nil }}
	lost, err := o.inspected(t.Context(), "", codes.DeadlineExceeded)
	require.NoError(t, err)
	require.Equal(t, "The time was over before the version had returned the request's id. "+
		"This lists the last requests: kn-krt requests\n", lost.text(term.Streams{}))
}

func TestInvokeInspectWithoutTheVersionsConsent(t *testing.T) {
	r := inspection.Request{ID: "4f0c", Code: "OK", Steps: []inspection.Step{{Node: "etl", Outcome: "ok"}}}
	got := runKrt(t.Context(), "", "invoke", "room-price", "--inspect", "--address", serveVersion(t), "--inspect-address", keep(t, r))
	require.Contains(t, got.out, "\nIts messages were not kept.\nThe request was not inspected: the version does not allow it. ")

	// An older one does not return the id then.
	near := nearby{version: "hotel-v1", address: serveVersion(t), requests: &requests.Running{Unkept: "Allow it."}}
	got = runNear(t.Context(), near, "", "invoke", "hotel-v1", "never", "--inspect")
	require.Equal(t, term.ExitOK, got.code)
	require.Contains(t, got.out, "}\n\nThe request was not inspected: the version does not allow it. Allow it.\n")
	got = runNear(t.Context(), near, "", "invoke", "hotel-v1", "never", "--inspect", "-o", "json")
	require.Equal(t, `{"response":{"amount":0,"currency":""},"request":null}`+"\n", got.out)
}

// lostRequests is a version whose requests cannot be read.
type lostRequests struct{ requests.Source }

// Get implements requests.Source.
func (lostRequests) Get(context.Context, string) (*inspection.Request, error) {
	return nil, errors.New("the pod is lost")
}

func TestInvokeInspectOfWhatCannotBeRead(t *testing.T) {
	near := nearby{version: "hotel-v1", address: serveVersion(t), requests: &requests.Running{Source: lostRequests{}}}
	for _, output := range []string{"text", "json"} {
		got := runNear(t.Context(), near, "", "invoke", "hotel-v1", "room-price", "--inspect", "-o", output)
		require.Equal(t, term.ExitFailed, got.code)
		require.Equal(t, "Error: the response was received, but the request cannot be shown: the pod is lost\n", got.err)
	}
}
