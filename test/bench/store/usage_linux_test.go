package store_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/test/store/server"
)

// peak returns by how much the memory of this process grew at most while do ran, and the most
// that the processes of a server had for themselves, its caches not counted; in bytes.
func peak(b *testing.B, s *server.Server, do func()) (own, ofServer int64) {
	b.Helper()
	require.NoError(b, os.WriteFile("/proc/self/clear_refs", []byte("5"), 0)) // begin anew with VmHWM
	before := status(b, "self", "VmRSS")
	ended, most := make(chan struct{}), make(chan int64)
	go func() {
		var seen int64
		for tick := time.NewTicker(20 * time.Millisecond); ; {
			select {
			case <-ended:
				tick.Stop()
				most <- seen
				return
			case <-tick.C:
				var sum int64
				for _, pid := range family(s) {
					sum += status(nil, pid, "RssAnon")
				}
				seen = max(seen, sum)
			}
		}
	}()
	do()
	close(ended)
	return status(b, "self", "VmHWM") - before, <-most
}

// status reads a size of a process in bytes; 0 if it is gone.
func status(b *testing.B, pid, field string) int64 {
	text, err := os.ReadFile(filepath.Join("/proc", pid, "status"))
	if b != nil {
		require.NoError(b, err)
	}
	_, rest, _ := strings.Cut(string(text), field+":")
	line, _, _ := strings.Cut(rest, " kB")
	kilobytes, _ := strconv.ParseInt(strings.TrimSpace(line), 10, 64)
	return kilobytes << 10
}

// family are the ids of a server's process and of its children.
func family(s *server.Server) (pids []string) {
	if s == nil {
		return nil
	}
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range stats {
		pid := filepath.Base(filepath.Dir(path))
		if fields := stat(path); pid == strconv.Itoa(s.PID()) || len(fields) > 1 && fields[1] == strconv.Itoa(s.PID()) {
			pids = append(pids, pid)
		}
	}
	return pids
}

// stat are the fields of a process behind its name: its state, its parent and so on.
func stat(path string) []string {
	text, _ := os.ReadFile(path)
	return strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
}

// cpu is the processor time that this process has used, and that of a server with its children.
func cpu(b *testing.B, s *server.Server) (own, ofServer time.Duration) {
	b.Helper()
	var used syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &used))
	own = time.Duration(used.Utime.Nano() + used.Stime.Nano())
	for _, pid := range family(s) {
		fields := stat(filepath.Join("/proc", pid, "stat"))
		if len(fields) < 15 {
			continue
		}
		ticks := fields[11:13] // utime and stime, in hundredths of a second
		if pid == strconv.Itoa(s.PID()) {
			ticks = fields[11:15] // and those of children that have ended
		}
		for _, text := range ticks {
			n, err := strconv.ParseInt(text, 10, 64)
			require.NoError(b, err)
			ofServer += time.Duration(n) * 10 * time.Millisecond
		}
	}
	return own, ofServer
}

func megabytes(bytes int64) string { return fmt.Sprintf("%d MiB", bytes>>20) }
