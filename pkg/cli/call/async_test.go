package call

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/encoding/protojson"

	"krt.dev/kn-krt/pkg/cli/term"
	"krt.dev/kn-krt/pkg/local/running"
)

// acceptor is the web port of a version that accepts events of its workflow "greet".
type acceptor struct {
	sent   []http.Header
	bodies []string
}

const acceptedID = "4f0c1d2e83ab45d0a2cf6be0b6f0d1aa"

func (a *acceptor) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	refuse := func(status int, code codes.Code, text string) {
		body, _ := protojson.Marshal(&spb.Status{Code: int32(code), Message: text})
		w.WriteHeader(status)
		_, _ = w.Write(body)
	}
	switch body, _ := io.ReadAll(r.Body); {
	case r.URL.EscapedPath() == "/workflows/strange":
		_, _ = w.Write([]byte("<html>welcome"))
	case r.URL.EscapedPath() == "/workflows/moved":
		http.Redirect(w, r, "/workflows/greet", http.StatusTemporaryRedirect)
	case r.URL.EscapedPath() == "/workflows/closed":
		refuse(http.StatusUnauthorized, codes.Unauthenticated, "this requires authentication")
	case r.URL.EscapedPath() != "/workflows/greet":
		refuse(http.StatusNotFound, codes.NotFound, "the version has no workflow "+r.URL.EscapedPath()+"\x1b")
	case string(body) == "no":
		refuse(http.StatusBadRequest, codes.InvalidArgument, "the data is not JSON")
	default:
		a.sent, a.bodies = append(a.sent, r.Header), append(a.bodies, string(body))
		w.Header().Set("Krt-Correlation-Id", acceptedID)
		w.WriteHeader(http.StatusAccepted)
	}
}

func serveWeb(t *testing.T) (a *acceptor, address string) {
	t.Helper()
	a = &acceptor{}
	server := httptest.NewServer(a)
	t.Cleanup(server.Close)
	return a, strings.TrimPrefix(server.URL, "http://")
}

func TestInvokeAsync(t *testing.T) {
	a, web := serveWeb(t)
	got := runKrt(t.Context(), "", "invoke", "greet", "--async", "--web-address", web, "-d", `{"name": "Ada"}`)
	require.Equal(t, krtResult{
		out: acceptedID + "\n",
		err: "Accepted. Wait for the result, if the version keeps it: kn-krt result " + acceptedID + " -w\n",
	}, got)
	require.Equal(t, []string{`{"name": "Ada"}`}, a.bodies)
	require.Equal(t, "respond-async", a.sent[0].Get("Prefer"))
	require.Equal(t, "application/json", a.sent[0].Get("Content-Type"))
	for _, name := range []string{"Ce-Id", "Ce-Source", "Ce-Type", "Ce-Specversion"} {
		require.NotEmpty(t, a.sent[0].Get(name), name)
	}
	got = runKrt(t.Context(), "{}", "invoke", "greet", "--async", "--web-address", web, "-d", "-", "-o", "json")
	require.Empty(t, got.err)
	var said struct{ ID, Result string }
	require.NoError(t, json.Unmarshal([]byte(got.out), &said))
	require.Equal(t, "kn-krt result "+acceptedID, said.Result)
	require.NotEqual(t, a.sent[0].Get("Ce-Id"), a.sent[1].Get("Ce-Id"))

	token := filepath.Join(t.TempDir(), "token")
	require.NoError(t, os.WriteFile(token, []byte("a.b.c\n"), 0o600))
	got = runNear(t.Context(), nearby{version: "v1", address: web}, "", "invoke", "v1", "greet", "--async", "--token-file", token)
	require.Equal(t, term.ExitOK, got.code, got.err)
	require.Contains(t, got.err, "kn krt result v1 "+acceptedID+" -w")
	require.Equal(t, "Bearer a.b.c", a.sent[2].Get("Authorization"))
}

func TestInvokeAsyncThatIsNotAccepted(t *testing.T) {
	a, web := serveWeb(t)
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"other"}, term.ExitNotFound, `the request was not accepted: the version has no workflow /workflows/other\x1b`},
		{[]string{"a/../b"}, term.ExitNotFound, "/workflows/a%2F..%2Fb"},
		{[]string{"greet", "-d", "no"}, term.ExitFailed, "the request was not accepted: the data is not JSON"},
		{[]string{"closed"}, term.ExitFailed, credentialsHint},
		{[]string{"strange"}, term.ExitFailed, "the server responded with HTTP 200, not as a version does"},
		{[]string{"moved"}, term.ExitFailed, "the server responded with HTTP 307, not as a version does"},
		{[]string{"greet", "--trace"}, term.ExitUsage, "--async cannot be combined with --trace or --inspect"},
		{[]string{"greet", "--web-address", refusedAddress}, term.ExitFailed, "connection refused"},
		{[]string{"greet", "--web-address", "%"}, term.ExitFailed, "is not the web address of a version"},
	} {
		got := runKrt(t.Context(), "", append([]string{"invoke", "--async", "--web-address", web}, c.args...)...)
		require.Equal(t, c.code, got.code, "%v: %s", c.args, got.err)
		require.Contains(t, got.err, c.want)
		require.Empty(t, got.out)
	}
	got := runKrt(t.Context(), "", "invoke", "greet", "--web-address", web)
	require.Equal(t, term.ExitUsage, got.code)
	require.Contains(t, got.err, "--web-address is for --async")
	require.Empty(t, a.sent)
}

// The web address is that of the run with the gRPC address.
func TestInvokeAsyncFindsTheRun(t *testing.T) {
	home := t.TempDir()
	t.Setenv("XDG_STATE_HOME", home)
	_, web := serveWeb(t)
	got := runKrt(t.Context(), "", "invoke", "greet", "--async")
	require.Equal(t, term.ExitFailed, got.code)
	require.Contains(t, got.err, "the web address of the version at 127.0.0.1:9000 is not known")
	require.Contains(t, got.err, "kn-krt run")

	dir := filepath.Join(home, "kn-krt", "one-v1")
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "run"), 0o700))
	run := running.Run{Version: "one-v1", Path: "/one-v1", GRPC: "127.0.0.1:9100", Web: web, Inspection: web}
	require.NoError(t, running.Write(dir, run))
	got = runKrt(t.Context(), "", "invoke", "greet", "--async")
	require.Equal(t, term.ExitOK, got.code, got.err)
	require.Equal(t, acceptedID+"\n", got.out)
}
