package local

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// zombie reports whether the process has ended and merely was not reaped: by this
// container's init, in tests.
func zombie(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, state, _ := strings.Cut(string(stat), ") ")
	return strings.HasPrefix(state, "Z")
}

// TestKilledParentLeavesNoChild kills a process that runs a fleet.
func TestKilledParentLeavesNoChild(t *testing.T) {
	parent := exec.Command(os.Args[0], "-test.run=^$")
	parent.Env = append(os.Environ(), kindVariable+"=parent")
	out, err := parent.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, parent.Start())
	var pid int
	scanner := bufio.NewScanner(out)
	for scanner.Scan() {
		if _, err := fmt.Sscanf(scanner.Text(), "pid %d", &pid); err == nil {
			break
		}
	}
	require.NotZero(t, pid)
	require.NoError(t, parent.Process.Kill())
	_ = parent.Wait()
	requireGone(t, pid)
}
