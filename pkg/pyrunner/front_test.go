package pyrunner_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/pyrunner"
)

// TestMain makes this binary a runner when it is started as one, so that tests
// can kill the front.
func TestMain(m *testing.M) {
	if os.Getenv("TEST_FRONT") == "" {
		os.Exit(m.Run())
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	if err := pyrunner.Main(ctx, os.Getenv, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// front starts a runner of code as a process of its own, on a port that is
// inherited as KRT_LISTEN_FD.
func front(t *testing.T, code string, env ...string) (cmd *exec.Cmd, n *node) {
	t.Helper()
	python, err := findPython()
	if err != nil {
		t.Skipf("no Python to run nodes with: %v", err)
	}
	n = &node{t: t, dir: t.TempDir(), told: make(chan call, 64)}
	require.NoError(t, os.WriteFile(n.dir+"/main.py", []byte(prelude+code), 0o644))
	listener, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	require.NoError(t, err)
	defer func() { _ = listener.Close() }()
	n.url = "http://" + listener.Addr().String()
	file, err := listener.File()
	require.NoError(t, err)
	defer func() { _ = file.Close() }()
	cmd = exec.Command(os.Args[0])
	cmd.ExtraFiles = []*os.File{file}
	cmd.Env = append(os.Environ(), append(env, "TEST_FRONT=1", "KRT_LISTEN_FD=3", "KRT_PYTHON="+python, "KRT_BASE_PATH="+n.dir,
		"KRT_HANDLER_PATH=main.py", "KRT_WORKERS=2", "TEST_SOCKET="+listenForCalls(t, n.told), "TMPDIR="+t.TempDir())...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if strings.Contains(lines.Text(), "msg=ready") {
			return cmd, n
		}
		if strings.Contains(lines.Text(), "until-init") {
			return cmd, n
		}
	}
	require.FailNow(t, "the front did not start")
	return nil, nil
}

func TestNothingIsLeftOfAKilledFront(t *testing.T) {
	const grandchild = `
import subprocess
def handler(ctx, data):
    subprocess.Popen([sys.executable, "-c", "import os,socket,time\ns=socket.socket(socket.AF_UNIX)\n"
        "s.connect(os.environ['TEST_SOCKET'])\ns.sendall(b'grandchild\\n')\ntime.sleep(3600)"])
    tell("worker")
    time.sleep(3600)
`
	for name, c := range map[string]struct {
		code string
		env  []string
		ends int
	}{
		"forked": {grandchild, []string{"KRT_FORK=true"}, 2},
		"lone":   {"def handler(ctx, data):\n    tell('worker')\n    time.sleep(3600)", nil, 1},
		"while it inits": {"def init(ctx):\n    tell('init')\n    print('until-init')\n    time.sleep(3600)\ndef handler(ctx, data): pass", nil,
			1},
	} {
		t.Run(name, func(t *testing.T) {
			cmd, n := front(t, c.code, c.env...)
			if name != "while it inits" {
				go func() { _, _ = n.postContext(context.Background(), request("x")) }()
			}
			var calls []call
			for range c.ends {
				calls = append(calls, <-n.told)
			}
			require.NoError(t, cmd.Process.Kill())
			for _, c := range calls {
				c.gone(t)
			}
			_ = cmd.Wait()
		})
	}
}

func TestSIGTERMEndsTheFront(t *testing.T) {
	cmd, n := front(t, "def handler(ctx, data):\n    tell('worker')\n    return StringValue(value='x')")
	require.Equal(t, "x", n.text("x"))
	worker := <-n.told
	require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
	require.NoError(t, cmd.Wait())
	worker.gone(t)
}
