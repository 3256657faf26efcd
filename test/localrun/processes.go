package localrun

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Process is a running process, as /proc shows it.
type Process struct {
	PID, Parent int
	// Command is its arguments, separated by spaces.
	Command string
}

// Processes returns the processes below v's own, children before
// grandchildren. Linux only.
func (v *Version) Processes(t testing.TB) []Process {
	t.Helper()
	all := processes(t)
	below := []Process{{PID: v.PID}}
	for i := 0; i < len(below); i++ {
		for _, p := range all {
			if p.Parent == below[i].PID {
				below = append(below, p)
			}
		}
	}
	return below[1:]
}

// Alive reports whether p still runs; a zombie does not.
func (p Process) Alive() bool {
	now, ok := read(p.PID)
	return ok && now.Command == p.Command
}

func processes(t testing.TB) []Process {
	dirs, err := filepath.Glob("/proc/[0-9]*")
	require.NoError(t, err)
	var all []Process
	for _, dir := range dirs {
		pid, err := strconv.Atoi(filepath.Base(dir))
		require.NoError(t, err)
		if p, ok := read(pid); ok {
			all = append(all, p)
		}
	}
	return all
}

// read returns false for a process that is gone or a zombie.
func read(pid int) (Process, bool) {
	dir := filepath.Join("/proc", strconv.Itoa(pid))
	stat, err := os.ReadFile(filepath.Join(dir, "stat"))
	if err != nil {
		return Process{}, false
	}
	// pid (name, which may hold spaces and brackets) state parent …
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) < 2 || fields[0] == "Z" || fields[0] == "X" {
		return Process{}, false
	}
	parent, err := strconv.Atoi(fields[1])
	if err != nil {
		return Process{}, false
	}
	command, err := os.ReadFile(filepath.Join(dir, "cmdline"))
	if err != nil {
		return Process{}, false
	}
	return Process{pid, parent, strings.TrimSpace(string(bytes.ReplaceAll(command, []byte{0}, []byte{' '})))}, true
}
