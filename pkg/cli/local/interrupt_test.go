//go:build unix

package local

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// blockedProgram makes TestBlockedProgram the program of TestThirdInterruptEndsABlockedProgram.
const blockedProgram = "TEST_BLOCKED_PROGRAM"

func TestThirdInterruptEndsABlockedProgram(t *testing.T) {
	if signal.Ignored(os.Interrupt) {
		t.Skip("who started this has it ignore interrupts, as a shell does in the background: the program would, too")
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestBlockedProgram$")
	cmd.Env = append(os.Environ(), blockedProgram+"=1")
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	scanner := bufio.NewScanner(out)
	for _, want := range []string{"begun", "cancelled", "killed"} {
		require.True(t, scanner.Scan())
		require.Equal(t, want, scanner.Text())
		require.NoError(t, cmd.Process.Signal(os.Interrupt))
	}
	require.False(t, scanner.Scan())
	require.Error(t, cmd.Wait())
	status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus)
	require.True(t, ok)
	require.Equal(t, os.Interrupt, status.Signal())
}

// TestBlockedProgram waits for what never comes, as for an env file that is a pipe.
func TestBlockedProgram(t *testing.T) {
	if os.Getenv(blockedProgram) == "" {
		t.Skip("it is a program for another test")
	}
	ctx, kill, release := interrupts(context.Background())
	defer release()
	fmt.Println("begun")
	<-ctx.Done()
	fmt.Println("cancelled")
	<-kill
	fmt.Println("killed")
	<-t.Context().Done()
}
