package process

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// CPU returns the processor time that a process of any kind and all below it have used so
// far, without that of processes that have ended.
func CPU(pid int) (sum time.Duration, err error) {
	pids, err := family(pid)
	if err != nil {
		return 0, err
	}
	for _, pid := range pids {
		used, err := used(pid)
		if err != nil {
			return 0, err
		}
		sum += used
	}
	return sum, nil
}

// used is the kernel's own account in nanoseconds, of which getrusage returns the sum.
func used(pid int) (time.Duration, error) {
	var t unix.Timespec
	// The clock of another process: clock_getcpuclockid(3), which is
	// (~pid << 3) | CPUCLOCK_SCHED.
	if err := unix.ClockGettime(int32(^pid<<3|2), &t); err != nil {
		return 0, fmt.Errorf("cannot read the processor time of process %d: %w", pid, err)
	}
	return time.Duration(t.Nano()), nil
}

// Part is the memory that one process holds.
type Part struct {
	// Name is the name of the program, and its first argument if that is not a path.
	Name string
	// Bytes are resident, those that it shares with others too.
	Bytes int64
}

// Memory returns what a process, which is the first, and those below it hold.
func Memory(pid int) (parts []Part, err error) {
	pids, err := family(pid)
	if err != nil {
		return nil, err
	}
	for _, pid := range pids {
		size, err := resident(pid)
		if err != nil {
			return nil, err
		}
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		if err != nil {
			return nil, fmt.Errorf("cannot read the command of a process: %w", err)
		}
		words := bytes.SplitN(text, []byte{0}, 3)
		name := filepath.Base(string(words[0]))
		if len(words) > 1 && len(words[1]) > 0 && !bytes.ContainsAny(words[1], "/-") {
			name += " " + string(words[1])
		}
		parts = append(parts, Part{name, size})
	}
	return parts, nil
}

// resident returns the bytes of memory that a process holds.
func resident(pid int) (int64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return 0, fmt.Errorf("cannot read the memory of a process: %w", err)
	}
	fields := bytes.Fields(text)
	if len(fields) < 2 {
		return 0, fmt.Errorf("cannot read the memory of a process: statm is %q", text)
	}
	pages, err := strconv.ParseInt(string(fields[1]), 10, 64)
	return pages * int64(os.Getpagesize()), err
}
