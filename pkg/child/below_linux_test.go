package child

import (
	"bufio"
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestKillReachesGroupsOfDescendants(t *testing.T) {
	r, w, err := os.Pipe()
	require.NoError(t, err)
	defer r.Close()
	cmd := exec.CommandContext(t.Context(), "sh", "-c", "setsid sh -c 'sleep 300 & echo begun; wait' & wait")
	cmd.Stdout = w
	p, err := Start(cmd)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	lines := bufio.NewScanner(r)
	require.True(t, lines.Scan())
	p.Kill()
	<-p.Done()
	require.False(t, lines.Scan(), "the pipe ends when the last of the processes has ended")
}
