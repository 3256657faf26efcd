package pyrunner_test

import (
	"context"
	"net/http"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/pyrunner"
)

func TestZygotesDeathEndsTheNode(t *testing.T) {
	n := start(t, `
def handler(ctx, data):
    if text(data) == "quick": return StringValue(value=str(os.getppid()))
    tell("runs")
    time.sleep(3600)
`, map[string]string{"KRT_FORK": "true"})
	zygote, err := strconv.Atoi(n.text("quick"))
	require.NoError(t, err)
	done := make(chan answer, 1)
	go func() {
		a, _ := n.postContext(context.Background(), request("x"))
		done <- a
	}()
	runs := <-n.told
	require.NoError(t, syscall.Kill(zygote, syscall.SIGKILL))
	runs.gone(t)
	require.Equal(t, http.StatusServiceUnavailable, (<-done).status)
	require.EqualError(t, <-n.result, `cannot keep node "model" running: the Python process ended: signal: killed`)
	n.result <- nil
}

// A process may host several nodes, and a run of them: a panic of one's front is its end alone, even if reporting it
// panics too.
func TestAPanicOfTheFrontEndsTheNode(t *testing.T) {
	for name, again := range map[string]bool{"once": false, "again": true} {
		t.Run(name, func(t *testing.T) {
			n := startWith(t, `
def handler(ctx, data):
    print("boom", flush=True)
    time.sleep(3600)
`, nil, pyrunner.Options{ShutdownTimeout: time.Millisecond})
			n.log.panics.Store(true)
			n.log.again.Store(again)
			done := make(chan answer, 1)
			go func() {
				a, _ := n.postContext(context.Background(), request("x"))
				done <- a
			}()
			require.EqualError(t, <-n.result, `cannot keep node "model" running: its front panicked: no room`)
			n.result <- nil
			<-done
			if again {
				return
			}
			require.Contains(t, n.log.String(), "the node's front panicked")
			require.Contains(t, n.log.String(), "harness_test.go", "where")
		})
	}
}

func TestStopLetsCallsFinish(t *testing.T) {
	for form, env := range forms {
		t.Run(form, func(t *testing.T) {
			n := start(t, `
def handler(ctx, data):
    tell("runs")
    gate = socket.socket(socket.AF_UNIX)
    gate.connect(text(data))
    gate.sendall(b"at the gate\n")
    gate.recv(1)
    return StringValue(value="done")
`, env)
			gate := make(chan call, 1)
			path, open := listenForGate(t, gate)
			done := make(chan answer, 1)
			go func() {
				a, _ := n.postContext(context.Background(), request(path))
				done <- a
			}()
			runs := <-n.told
			<-gate
			n.stop()
			open()
			require.Equal(t, "done", stringOf(t, (<-done).event))
			runs.gone(t)
			require.NoError(t, <-n.result)
			n.result <- nil
		})
	}
}

// children is a node that starts a process of its own. It answers with the
// number of its parent, which is the zygote for a forked worker.
const children = `
import subprocess
def handler(ctx, data):
    subprocess.Popen([sys.executable, "-c", "import os,socket,time\ns=socket.socket(socket.AF_UNIX)\n"
        "s.connect(os.environ['TEST_SOCKET'])\ns.sendall(b'child\\n')\ntime.sleep(3600)"])
    return StringValue(value=str(os.getppid()))
`

func TestNodesOwnProcessesEndWithIt(t *testing.T) {
	for form, env := range forms {
		t.Run(form, func(t *testing.T) {
			n := start(t, children, env)
			n.text("x")
			child := <-n.told
			require.NoError(t, n.end())
			child.gone(t)
		})
	}
}

func TestNodesOwnProcessesEndWithTheZygote(t *testing.T) {
	n := start(t, children, map[string]string{"KRT_FORK": "true"})
	zygote, err := strconv.Atoi(n.text("x"))
	require.NoError(t, err)
	child := <-n.told
	require.NoError(t, syscall.Kill(zygote, syscall.SIGKILL))
	child.gone(t)
	require.ErrorContains(t, <-n.result, "the Python process ended: signal: killed")
	n.result <- nil
}
