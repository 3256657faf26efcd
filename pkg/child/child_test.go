//go:build unix

package child_test

import (
	"bufio"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/child"
)

// start runs a shell script and returns it with a reader of its output, which
// ends when the last process that holds it is gone.
func start(t *testing.T, script string) (*child.Process, *bufio.Reader) {
	t.Helper()
	s := child.NewStarter()
	cmd := exec.Command("/bin/sh", "-c", script)
	out, in, err := os.Pipe() // not StdoutPipe, which ends with the process
	require.NoError(t, err)
	cmd.Stdout = in
	p, err := s.Start(cmd)
	require.NoError(t, err)
	require.NoError(t, in.Close())
	t.Cleanup(func() {
		p.Kill()
		<-p.Done()
		s.Close()
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
	s := child.NewStarter()
	defer s.Close()
	_, err := s.Start(exec.Command("/nowhere/program"))
	require.ErrorContains(t, err, "no such file or directory")
}
