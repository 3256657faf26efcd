// Package measure saves how long requests took, and their nodes, as measurements in the
// store, as the original platform did by itself: workflow_elapsed_time and
// node_elapsed_time.
package measure

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"google.golang.org/genproto/googleapis/rpc/code"

	"krt.dev/kn-krt/pkg/entrypoint/record"
	"krt.dev/kn-krt/pkg/runner/event"
	"krt.dev/kn-krt/pkg/runner/loglimit"
	"krt.dev/kn-krt/pkg/runner/store"
)

// The names of the measurements and of their fields, which are the original's; those of
// an interval are ours. Times are in milliseconds.
const (
	NameNode     = "node_elapsed_time"
	NameWorkflow = "workflow_elapsed_time"

	FieldTracking = "tracking_id" // the request's correlation id; not of an interval
	FieldFrom     = "node_from"   // the node before, or "entrypoint"
	FieldElapsed  = "elapsed_ms"  // of an interval: the mean
	FieldWaiting  = "waiting_ms"  // how long it waited for its turn; of an interval: the mean
	FieldCount    = "count"       // of an interval, like those below: the number of requests
	FieldLeast    = "elapsed_min_ms"
	FieldMost     = "elapsed_max_ms"
	FieldMedian   = "elapsed_p50_ms"
	FieldP95      = "elapsed_p95_ms"
)

// entrypoint is the name that the entrypoint has where a node is named.
const entrypoint = "entrypoint"

// Mode is what is saved.
type Mode string

// The modes.
const (
	// Off saves nothing.
	Off Mode = "off"
	// Aggregated saves a measurement for each workflow and node that had requests, every
	// 10 seconds.
	Aggregated Mode = "aggregated"
	// Each saves a measurement for each request and node.
	Each Mode = "each"
)

// Modes are the names of the modes.
func Modes() []string { return []string{string(Off), string(Aggregated), string(Each)} }

// ParseMode reads a mode; empty is Aggregated.
func ParseMode(text string) (Mode, error) {
	switch mode := cmp.Or(Mode(text), Aggregated); mode {
	case Off, Aggregated, Each:
		return mode, nil
	}
	return "", fmt.Errorf("%q is not one of %s", text, strings.Join(Modes(), ", "))
}

const (
	// interval is how much time an aggregated measurement stands for.
	interval = 10 * time.Second
	// maxWaiting limits the points that wait to be saved or counted.
	maxWaiting = 4096
)

// point is one run of a node, or a request if its node is "entrypoint".
type point struct {
	version, workflow, node, from, id string
	at                                time.Time
	elapsed, waiting                  time.Duration
}

// Measurer is an observer of requests. It never blocks one: what finds no room is left out,
// counted and logged.
type Measurer struct {
	mode   Mode
	client *store.Client
	log    *slog.Logger
	points chan point
	lost   atomic.Int64
	over   chan struct{}
	ended  chan struct{}
	// saving ends what is being saved when a stop takes too long.
	saving context.Context
	end    context.CancelFunc
}

// New returns a measurer that saves through client, until Close; mode is Aggregated or
// Each. What goes wrong is logged to log.
func New(mode Mode, client *store.Client, log *slog.Logger) *Measurer {
	ticks := time.NewTicker(interval)
	m := newMeasurer(mode, client, log)
	go func() {
		defer ticks.Stop()
		m.run(ticks.C)
	}()
	return m
}

func newMeasurer(mode Mode, client *store.Client, log *slog.Logger) *Measurer {
	m := &Measurer{
		mode: mode, client: client, log: slog.New(loglimit.New(log.Handler())),
		points: make(chan point, maxWaiting), over: make(chan struct{}), ended: make(chan struct{}),
	}
	m.saving, m.end = context.WithCancel(context.Background())
	return m
}

// Observe measures a request that was successful, and all its nodes' runs that were.
func (m *Measurer) Observe(r *record.Record) {
	p := point{version: r.Version, workflow: r.Workflow, id: r.ID, at: r.End}
	if r.Code == code.Code_OK && !r.Background {
		p.node, p.elapsed = entrypoint, r.Elapsed()
		m.add(p)
	}
	p.from = entrypoint
	for _, t := range r.NodeTimes() {
		p.node, p.elapsed, p.waiting = t.Node, t.Run, t.Wait
		if t.Outcome == event.OutcomeOK || t.Outcome == event.OutcomeExit {
			m.add(p)
		}
		p.from = t.Node
	}
}

func (m *Measurer) add(p point) {
	select {
	case m.points <- p:
	default:
		m.lost.Add(1)
	}
}

// Close saves what has been measured, for at most the given time. What is observed later
// is not saved.
func (m *Measurer) Close(limit time.Duration) {
	close(m.over)
	timer := time.AfterFunc(limit, m.end)
	defer timer.Stop()
	<-m.ended
	m.end()
}

// run saves points until Close; ticks are the ends of intervals.
func (m *Measurer) run(ticks <-chan time.Time) {
	defer close(m.ended)
	sums := sums{}
	for {
		select {
		case p := <-m.points:
			m.take(sums, p)
		case at := <-ticks:
			m.flush(sums, at)
		case <-m.over:
			for len(m.points) > 0 {
				m.take(sums, <-m.points)
			}
			m.flush(sums, time.Now())
			return
		}
	}
}

func (m *Measurer) take(sums sums, p point) {
	if m.mode == Each {
		if err := m.save(p, p.measurement()); err != nil {
			m.log.Warn("an automatic measurement was not saved", "error", err)
		}
		return
	}
	sums.add(p)
}

// flush saves the sums of an interval that ended at the given time, and clears them. When
// the store fails, it is not asked for the rest of them.
func (m *Measurer) flush(sums sums, at time.Time) {
	for key, sum := range sums {
		if err := m.save(key, sum.measurement(key, at)); err != nil {
			m.log.Warn("automatic measurements were not saved", "error", err)
			break
		}
	}
	clear(sums)
	if lost := m.lost.Swap(0); lost > 0 {
		m.log.Warn("automatic measurements were left out: they came faster than they were saved", "count", lost)
	}
}

func (m *Measurer) save(p point, what store.Measurement) error {
	return m.client.SaveMeasurement(m.saving, store.Origin{Version: p.version, Node: p.node, Workflow: p.workflow}, what)
}

// measurement is that of a single point.
func (p point) measurement() store.Measurement {
	fields := map[string]any{FieldTracking: p.id, FieldElapsed: milliseconds(p.elapsed)}
	return p.name(store.Measurement{Fields: fields, Time: p.at}, p.waiting)
}

// name adds to what what only a node's measurement has.
func (p point) name(what store.Measurement, waiting time.Duration) store.Measurement {
	if what.Name = NameWorkflow; p.from != "" {
		what.Name = NameNode
		what.Fields[FieldFrom], what.Fields[FieldWaiting] = p.from, milliseconds(waiting)
	}
	return what
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
