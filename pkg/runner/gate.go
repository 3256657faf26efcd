package runner

import (
	"cmp"
	"fmt"
	"log/slog"
	"math"
	"sync/atomic"
	"time"
)

// The most that may wait in a node whose calls run in turn.
const (
	maxWaiting      = 1024
	maxWaitingBytes = 64 << 20
)

// refusalsPause is the least time between two log lines about refused events.
const refusalsPause = 10 * time.Second

// gate limits the events that a node holds, waiting or being processed. It decides
// before the data of an event is read.
type gate struct {
	mostCalls, mostBytes int64
	calls, bytes         atomic.Int64
	refused              atomic.Int64 // since the last log line
	silent               atomic.Int64 // no log line before this time (Unix, in nanoseconds)
}

// newGate returns the gate for the limits in o; turns is how many calls run at a time,
// 0 for no limit.
func newGate(o Options, turns int) *gate {
	if turns > 0 {
		o.MaxCalls, o.MaxBytes = cmp.Or(o.MaxCalls, maxWaiting+turns), cmp.Or(o.MaxBytes, maxWaitingBytes)
	}
	return &gate{
		mostCalls: int64(cmp.Or(o.MaxCalls, math.MaxInt)),
		mostBytes: cmp.Or(o.MaxBytes, math.MaxInt64),
	}
}

// enter admits an event of size bytes; leave must be called with the same size
// afterwards. The error says why there is no room. One event always has room.
func (g *gate) enter(size int64) error {
	if calls := g.calls.Add(1); calls > g.mostCalls {
		g.calls.Add(-1)
		return fmt.Errorf("busy: %d calls are waiting or running, the most the node accepts", g.mostCalls)
	}
	if bytes := g.bytes.Add(size); bytes > g.mostBytes && bytes > size {
		g.leave(size)
		return fmt.Errorf("busy: the calls waiting or running hold %d of at most %d bytes, this one has %d", bytes-size, g.mostBytes, size)
	}
	return nil
}

func (g *gate) leave(size int64) {
	g.calls.Add(-1)
	g.bytes.Add(-size)
}

// log logs a refusal, together with those since the last log line.
func (g *gate) log(to *slog.Logger, err error) {
	g.refused.Add(1)
	now, silent := time.Now(), g.silent.Load()
	if now.UnixNano() < silent || !g.silent.CompareAndSwap(silent, now.Add(refusalsPause).UnixNano()) {
		return
	}
	to.Warn("calls refused: they are sent again", "calls", g.refused.Swap(0), "error", err)
}
