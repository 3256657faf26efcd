package pyrunner_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/pyrunner"
)

// A worker whose front panics in the middle of a call is replaced: what it sends next belongs to nobody.
func TestAWorkerIsReplacedWhoseFrontPanicsInACall(t *testing.T) {
	for form, env := range forms {
		t.Run(form, func(t *testing.T) {
			n := startWith(t, `
def handler(ctx, data):
    if text(data) == "reply":
        ctx.reply(StringValue(value="early"))
    return StringValue(value=str(os.getpid()))
`, with(env, "KRT_REPLY_URL", "http://127.0.0.1:1/boom"), pyrunner.Options{})
			first := n.text("x")
			n.log.panics.Store(true) // at the line that says that the reply is lost
			inTime(t, func(patience time.Duration) bool {
				in := request("reply")
				in.Deadline = time.Now().Add(patience)
				_ = n.post(in)
				return !n.log.panics.Load() // else the handler had not replied before the deadline
			})
			n.log.await(t, "handler panicked")
			n.log.await(t, "worker exited, starting another")
			require.NotEqual(t, first, n.text("x"))
		})
	}
}

// write makes an empty file of the bundle.
func (n *node) write(name string) {
	n.t.Helper()
	require.NoError(n.t, os.WriteFile(filepath.Join(n.dir, name), nil, 0o600))
}

// with returns env with one more variable.
func with(env map[string]string, name, value string) map[string]string {
	all := map[string]string{name: value}
	for name, value := range env {
		all[name] = value
	}
	return all
}

// What cleans temporary folders may remove the files of a node while it runs: its workers are still replaced.
func TestFilesThatAreRemovedAreWrittenAgain(t *testing.T) {
	parent := t.TempDir()
	t.Setenv("TMPDIR", parent)
	n := startWith(t, `
def handler(ctx, data):
    if text(data) == "die": os._exit(3)
    return StringValue(value=str(os.getpid()))
`, nil, pyrunner.Options{})
	for _, removed := range []string{"", "krt_main.py"} {
		folders, err := filepath.Glob(filepath.Join(parent, "krt-node-*"))
		require.NoError(t, err)
		first := n.text("x")
		for _, folder := range folders {
			require.NoError(t, os.RemoveAll(filepath.Join(folder, removed)))
		}
		require.Equal(t, http.StatusServiceUnavailable, n.post(request("die")).status)
		require.NotEqual(t, first, n.text("x"))
	}
	require.Equal(t, 2, strings.Count(n.log.String(), "files of the node have been removed while it ran"))
	require.NoError(t, n.end())
	left, err := filepath.Glob(filepath.Join(parent, "krt-node-*"))
	require.NoError(t, err)
	require.Empty(t, left)
}

// A call that comes while the only worker starts again waits for it, and is told so if it takes too long.
func TestACallThatWaitsForAStartIsTold(t *testing.T) {
	n := start(t, `
MARK = os.path.join(os.path.dirname(__file__), "mark")
def init(ctx):
    if os.path.exists(MARK):
        tell("init")
        while not os.path.exists(MARK + "2"): time.sleep(0.01)
    open(MARK, "w").close()
def handler(ctx, data):
    if text(data) == "die": os._exit(3)
    return StringValue(value="alive")
`, nil)
	require.Equal(t, http.StatusServiceUnavailable, n.post(request("die")).status)
	<-n.told
	var a answer
	inTime(t, func(patience time.Duration) bool {
		late := request("x")
		late.Deadline = time.Now().Add(patience)
		a = n.post(late)
		return a.status != http.StatusAccepted // which is the answer after the deadline
	})
	require.Equal(t, http.StatusServiceUnavailable, a.status)
	require.Equal(t, "busy: no worker has become ready until shortly before its deadline: one is starting", a.body)
	n.write("src/model/mark2")
	require.Equal(t, "alive", n.text("x"))
}
