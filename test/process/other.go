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

// Part is what one process holds and has done.
type Part struct {
	// Name is the name of the program, and its first argument if that is not a path.
	Name string
	// Bytes are resident, those that it shares with others too.
	Bytes int64
	// CPU is the processor time that it has used, and Kernel about how much of that was the
	// kernel's, in ticks of 10 ms.
	CPU, Kernel time.Duration
	// Switches is how often its threads have given up the processor to wait for something.
	Switches int64
}

// Subtract leaves what p has done since it was before.
func (p *Part) Subtract(before Part) {
	p.CPU, p.Kernel, p.Switches = p.CPU-before.CPU, p.Kernel-before.Kernel, p.Switches-before.Switches
}

// Add adds what it has done at another time.
func (p *Part) Add(more Part) {
	p.CPU, p.Kernel, p.Switches = p.CPU+more.CPU, p.Kernel+more.Kernel, p.Switches+more.Switches
}

// Parts returns what a process, which is the first, and those below it hold and have done.
func Parts(pid int) (parts []Part, err error) {
	pids, err := family(pid)
	if err != nil {
		return nil, err
	}
	for _, pid := range pids {
		p, err := part(pid)
		if err != nil {
			return nil, fmt.Errorf("cannot read what process %d does: %w", pid, err)
		}
		parts = append(parts, p)
	}
	return parts, nil
}

func part(pid int) (p Part, err error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil {
		return p, err
	}
	words := bytes.SplitN(text, []byte{0}, 3)
	p.Name = filepath.Base(string(words[0]))
	if len(words) > 1 && len(words[1]) > 0 && !bytes.ContainsAny(words[1], "/-") {
		p.Name += " " + string(words[1])
	}
	if p.CPU, err = used(pid); err != nil {
		return p, err
	}
	if p.Bytes, err = resident(pid); err != nil {
		return p, err
	}
	ticks, err := field(fmt.Sprintf("/proc/%d/stat", pid), 14) // stime of proc(5)
	if err != nil {
		return p, err
	}
	p.Kernel = time.Duration(ticks) * tick
	p.Switches, err = switches(pid)
	return p, err
}

// resident returns the bytes of memory that a process holds.
func resident(pid int) (int64, error) {
	pages, err := field(fmt.Sprintf("/proc/%d/statm", pid), 1)
	return pages * int64(os.Getpagesize()), err
}

// tick is the unit of times in /proc.
const tick = 10 * time.Millisecond

// field returns the number at an index of a file of /proc, whose field in parentheses, if there
// is one, counts as one.
func field(file string, index int) (int64, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	if end := bytes.LastIndexByte(text, ')'); end >= 0 {
		text, index = text[end+1:], index-2
	}
	fields := bytes.Fields(text)
	if len(fields) <= index {
		return 0, fmt.Errorf("%s is %q", file, text)
	}
	return strconv.ParseInt(string(fields[index]), 10, 64)
}

// switches counts the voluntary ones of all threads that a process has.
func switches(pid int) (sum int64, err error) {
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pid))
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // a thread that has ended meanwhile
		}
		_, rest, _ := bytes.Cut(text, []byte("\nvoluntary_ctxt_switches:"))
		line, _, _ := bytes.Cut(rest, []byte{'\n'})
		n, err := strconv.ParseInt(string(bytes.TrimSpace(line)), 10, 64)
		if err != nil {
			return 0, fmt.Errorf("%s has no switches: %w", file, err)
		}
		sum += n
	}
	return sum, err
}
