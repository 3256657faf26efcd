//go:build unix

package child_test

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/child"
)

// start runs a shell script and returns it with a reader of its output, which
// ends when the last process that holds it is gone.
func start(t *testing.T, script string) (*child.Process, *bufio.Reader) {
	t.Helper()
	cmd := exec.Command("/bin/sh", "-c", script)
	out, in, err := os.Pipe() // not StdoutPipe, which ends with the process
	require.NoError(t, err)
	cmd.Stdout = in
	p, err := child.Start(cmd)
	require.NoError(t, err)
	require.NoError(t, in.Close())
	t.Cleanup(func() {
		p.Kill()
		<-p.Done()
		_ = out.Close()
	})
	return p, bufio.NewReader(out)
}

func TestProcessTakesItsGroupAlong(t *testing.T) {
	p, out := start(t, "sleep 3600 & echo up; exit 3")
	line, err := out.ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "up\n", line)
	_, err = out.ReadByte()
	require.Error(t, err, "the process that it left is gone")
	<-p.Done()
	require.Equal(t, "exit status 3", p.State().String())
	p.Kill()
	p.Signal(syscall.SIGTERM)
}

func TestKillEndsTheGroup(t *testing.T) {
	p, out := start(t, "sleep 3600 & echo up; wait")
	_, err := out.ReadString('\n')
	require.NoError(t, err)
	p.Kill()
	<-p.Done()
	require.Equal(t, "signal: killed", p.State().String())
	_, err = out.ReadByte()
	require.Error(t, err)
}

func TestSignalIsForTheProcessAlone(t *testing.T) {
	p, out := start(t, `trap 'echo told; exit 0' TERM; echo up; while :; do sleep 1; done`)
	_, err := out.ReadString('\n')
	require.NoError(t, err)
	p.Signal(syscall.SIGTERM)
	line, err := out.ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "told", strings.TrimSpace(line))
	<-p.Done()
	require.True(t, p.State().Success())
}

func TestProgramThatIsNotThere(t *testing.T) {
	_, err := child.Start(exec.Command("/nowhere/program"))
	require.ErrorContains(t, err, "no such file or directory")
}

func TestFolderThatIsNotThere(t *testing.T) {
	cmd := exec.Command("/bin/sh", "-c", "exit")
	cmd.Dir = "/nowhere/folder"
	_, err := child.Start(cmd)
	require.EqualError(t, err, "cannot start /bin/sh: its working folder cannot be used: stat /nowhere/folder: no such file or directory")
}

func TestStop(t *testing.T) {
	for name, c := range map[string]struct {
		script string
		grace  time.Duration
		hurry  bool
		want   bool
	}{
		"ends by itself":        {`trap 'exit 0' TERM; echo up; while :; do sleep 0.01; done`, time.Minute, false, true},
		"is killed after grace": {`trap '' TERM; echo up; while :; do sleep 0.01; done`, time.Millisecond, false, false},
		"is killed in a hurry":  {`trap '' TERM; echo up; while :; do sleep 0.01; done`, time.Minute, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			p, out := start(t, c.script)
			_, err := out.ReadString('\n')
			require.NoError(t, err)
			hurry := make(chan struct{})
			if c.hurry {
				close(hurry)
			}
			require.Equal(t, c.want, p.Stop(syscall.SIGTERM, c.grace, hurry))
			<-p.Done()
		})
	}
}

func TestRun(t *testing.T) {
	var lines []string
	cmd := exec.CommandContext(t.Context(), "/bin/sh", "-c", "echo a; printf b; exit 3")
	cmd.Stdout = &child.Lines{Each: func(line string) { lines = append(lines, line) }}
	require.EqualError(t, child.Run(cmd, time.Minute), "exit status 3")
	require.Equal(t, []string{"a", "b"}, lines)
}

// The group is interrupted, and what does not end is killed.
func TestRunEndsWithItsContext(t *testing.T) {
	for name, script := range map[string]string{
		"interrupted": "sleep 3600 & trap 'exit 1' INT; echo up; wait",
		"killed":      "trap '' INT; sleep 3600 & echo up; wait",
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			cmd := exec.CommandContext(ctx, "/bin/sh", "-c", script)
			cmd.Stdout = &child.Lines{Each: func(string) { cancel() }}
			require.Error(t, child.Run(cmd, 10*time.Millisecond))
		})
	}
}
