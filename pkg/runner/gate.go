package runner

import (
	"cmp"
	"fmt"
	"log/slog"
	"math"
	"sync/atomic"
	"time"
)

// What a node whose calls run in turn lets wait.
const (
	maxWaiting      = 1024
	maxWaitingBytes = 64 << 20
)

// refusalsPause is between two log lines about refused events.
const refusalsPause = 10 * time.Second

// gate bounds the events that a node holds: those that wait and those that it
// works on. It is asked before an event's data is read.
type gate struct {
	mostCalls, mostBytes int64
	calls, bytes         atomic.Int64
	refused              atomic.Int64 // since the last log line
	silent               atomic.Int64 // until then (nanoseconds of Unix time) none is written
}

// newGate returns the gate that o asks for; turns is how many calls run at a time,
// 0 without a bound.
func newGate(o Options, turns int) *gate {
	if turns > 0 {
		o.MaxCalls, o.MaxBytes = cmp.Or(o.MaxCalls, maxWaiting+turns), cmp.Or(o.MaxBytes, maxWaitingBytes)
	}
	return &gate{
		mostCalls: int64(cmp.Or(o.MaxCalls, math.MaxInt)),
		mostBytes: cmp.Or(o.MaxBytes, math.MaxInt64),
	}
}

// enter takes in an event of size bytes, to be given to leave afterwards. The
// error says why there is no room for it; a single event always has room.
func (g *gate) enter(size int64) error {
	if calls := g.calls.Add(1); calls > g.mostCalls {
		g.calls.Add(-1)
		return fmt.Errorf("busy: %d calls wait or run, which is the most", g.mostCalls)
	}
	if bytes := g.bytes.Add(size); bytes > g.mostBytes && bytes > size {
		g.leave(size)
		return fmt.Errorf("busy: the calls that wait or run have %d bytes of at most %d, this one has %d", bytes-size, g.mostBytes, size)
	}
	return nil
}

func (g *gate) leave(size int64) {
	g.calls.Add(-1)
	g.bytes.Add(-size)
}

// tell logs a refusal, those that come soon after it together.
func (g *gate) tell(log *slog.Logger, err error) {
	g.refused.Add(1)
	now, silent := time.Now(), g.silent.Load()
	if now.UnixNano() < silent || !g.silent.CompareAndSwap(silent, now.Add(refusalsPause).UnixNano()) {
		return
	}
	log.Warn("calls refused, which delivery sends again", "calls", g.refused.Swap(0), "error", err)
}
