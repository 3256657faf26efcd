package process

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"time"
)

// Usage is what a child uses, as its Go runtime reports it.
type Usage struct {
	// Mallocs and Bytes are what was allocated on the heap since its start.
	Mallocs uint64 `json:"mallocs"`
	Bytes   uint64 `json:"bytes"`
	// Heap is what live and not yet collected objects take, Stacks what
	// goroutines' stacks take, Total all memory got from the system and not
	// given back; in bytes.
	Heap   uint64 `json:"heap"`
	Stacks uint64 `json:"stacks"`
	Total  uint64 `json:"total"`
	// Goroutines counts those that exist.
	Goroutines int `json:"goroutines"`
}

// reportUsage responds with the Usage of this process; with ?collect garbage is
// collected before.
func reportUsage(w http.ResponseWriter, r *http.Request) {
	if r.URL.Query().Has("collect") {
		runtime.GC() // pools let go at the second collection
		debug.FreeOSMemory()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	_ = json.NewEncoder(w).Encode(Usage{
		Mallocs: m.Mallocs, Bytes: m.TotalAlloc,
		Heap: m.HeapAlloc, Stacks: m.StackInuse, Total: m.Sys - m.HeapReleased,
		Goroutines: runtime.NumGoroutine(),
	})
}

// Usage asks the child what it uses. With collect it collects garbage first, so
// that Heap counts what is live only.
func (p *Process) Usage(ctx context.Context, collect bool) (u Usage, err error) {
	path := "/usage"
	if collect {
		path += "?collect"
	}
	return u, p.Control(ctx, path, &u)
}

// CPU returns the processor time, user's and system's, that the child and each
// of the children it had when it greeted have used: the kernel's own account in
// nanoseconds, of which getrusage returns the sum. Reading it costs the child
// nothing.
func (p *Process) CPU() ([]time.Duration, error) {
	all := make([]time.Duration, 0, len(p.pids))
	for _, pid := range p.pids {
		one, err := used(pid)
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, nil
}

// Resident returns the bytes of memory that the child holds.
func (p *Process) Resident() (int64, error) { return resident(p.process.PID()) }

// family returns pid and the processes below it.
func family(pid int) ([]int, error) {
	pids := []int{pid}
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err != nil {
		return nil, err
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // a thread that has ended meanwhile
		}
		for _, field := range bytes.Fields(text) {
			child, err := strconv.Atoi(string(field))
			if err != nil {
				return nil, fmt.Errorf("cannot read %s: %w", file, err)
			}
			below, err := family(child)
			if err != nil {
				return nil, err
			}
			pids = append(pids, below...)
		}
	}
	return pids, nil
}
