package traffic

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"krt.dev/kn-krt/pkg/entrypoint/capture"
	"krt.dev/kn-krt/pkg/entrypoint/memory"
	"krt.dev/kn-krt/pkg/inspection"
	"krt.dev/kn-krt/pkg/krt/untrusted"
	"krt.dev/kn-krt/pkg/schema/fieldpath"
)

const (
	// watchInterval is how often the file is read.
	watchInterval = time.Second
	// maxFileBytes bounds the file; a ConfigMap has 1 MiB at most.
	maxFileBytes = 1 << 20
)

// Options are what a divider needs of its entrypoint. The zero value divides nothing.
type Options struct {
	// Folder has [File], which may come, change and go at any time. Empty: nothing is divided.
	Folder string
	// MaxMessageBytes bounds a response of the canary over gRPC, and 16 times as much one over HTTP.
	MaxMessageBytes int
	// Budget counts what is held of requests and responses; responses are kept in Buffers.
	Budget  *memory.Budget
	Buffers *memory.Pool
	// Timeout bounds a request without a shorter deadline of its own, StreamTimeout one whose response
	// is a stream. Stopped ends when requests are not waited for any more.
	Timeout, StreamTimeout time.Duration
	Stopped                context.Context
	// ConnectTime bounds a try to connect, and the time that a request waits for one. Default: 1 s.
	ConnectTime time.Duration
	// OutOfTime reports whether the context of a client whose request began at an instant has
	// ended because of its deadline, although it was cancelled.
	OutOfTime func(client context.Context, begin time.Time) bool
	// Differ gets what differs in the responses to a request and its copy, the contract by which
	// they were compared if messages may be kept, else nil, and the request.
	Differ func(d inspection.Difference, contract *capture.Contract, name string, request []byte)
	// Logger gets what goes wrong.
	Logger *slog.Logger
	// Chance returns a random number from 0 to below 1. Default: that of math/rand/v2.
	Chance func() float64
}

// Divider decides which version serves a request, and forwards what is the canary's. It is a
// prometheus.Collector: of the metrics krt_traffic_….
type Divider struct {
	options Options
	series  *series
	current atomic.Pointer[state] // nil: there is no canary
	copies  *copies
	sent    *memory.Pool // of messages that gRPC may still send

	change sync.Mutex // of what follows
	read   []byte     // the file as it was last read, nil: there was none
	failed string     // why it could not be read then
	counts *counts    // of the last canary; nil: there was none
}

// state is a configuration in force.
type state struct {
	Canary
	ignore *fieldpath.Set
	peer   *peer
	counts *counts
}

// New returns a divider that has read the file.
func New(o Options) *Divider {
	if o.Chance == nil {
		o.Chance = rand.Float64
	}
	o.ConnectTime = cmp.Or(o.ConnectTime, connectTime)
	d := &Divider{options: o, series: newSeries(), copies: newCopies(), sent: memory.NewUncountedPool()}
	d.reload()
	return d
}

// Watch follows the file until stop is closed.
func (d *Divider) Watch(stop <-chan struct{}) {
	if d.options.Folder == "" {
		return
	}
	ticker := time.NewTicker(watchInterval)
	defer ticker.Stop()
	for {
		select {
		case <-stop:
			return
		case <-ticker.C:
			d.reload()
		}
	}
}

// Close closes the connections to the canary as soon as no request uses them any more.
func (d *Divider) Close() {
	d.change.Lock()
	defer d.change.Unlock()
	d.set(nil)
}

// Describe implements prometheus.Collector.
func (d *Divider) Describe(to chan<- *prometheus.Desc) { d.series.describe(to) }

// Collect implements prometheus.Collector.
func (d *Divider) Collect(to chan<- prometheus.Metric) { d.series.collect(to) }

// reload reads the file and puts it in force if it has changed. One that cannot be used is logged
// once, and what was in force stays.
func (d *Divider) reload() {
	if d.options.Folder == "" {
		return
	}
	d.change.Lock()
	defer d.change.Unlock()
	data, err := untrusted.ReadPath(filepath.Join(d.options.Folder, File), maxFileBytes)
	if err != nil && !errors.Is(err, fs.ErrNotExist) { // without a file there are no data
		d.fail(err)
		return
	}
	if d.failed = ""; bytes.Equal(data, d.read) && (data == nil) == (d.read == nil) {
		return
	}
	d.read = data
	var c Config
	if data != nil {
		if c, err = Parse(data); err != nil {
			d.fail(err)
			return
		}
	}
	d.set(c.Canary)
}

// fail logs err unless the last try to read the file had the same.
func (d *Divider) fail(err error) {
	if text := err.Error(); text != d.failed {
		d.failed = text
		d.options.Logger.Error("cannot use the division of requests; the last one stays in force", "error", text)
	}
}

// set puts a canary in force, nil: none. Requests that began before go on as they began, over
// connections that are kept for the new one if its addresses are the same.
func (d *Divider) set(c *Canary) {
	old := d.current.Load()
	if old == nil && c == nil {
		return
	}
	var next *state
	if c != nil {
		next = d.next(old, c)
	}
	d.current.Store(next)
	if old != nil && (next == nil || next.peer != old.peer) {
		old.peer.release()
	}
}

// next is the state of a canary, with what of old it can keep.
func (d *Divider) next(old *state, c *Canary) *state {
	next := &state{Canary: *c}
	next.ignore, _ = fieldpath.Parse(c.Ignore) // which has been checked
	next.counts = d.count(c.Version)
	if old != nil && old.GRPC == c.GRPC && old.Web == c.Web {
		next.peer = old.peer
	} else {
		next.peer = newPeer(c.GRPC, c.Web, d.options.MaxMessageBytes, d.options.ConnectTime)
	}
	return next
}

// count returns the counts of a canary. They go on if it is the last one again; those of another one
// are forgotten.
func (d *Divider) count(canary string) *counts {
	if d.counts == nil || d.counts.of != canary {
		if d.counts != nil {
			d.series.forget(d.counts.of)
		}
		d.counts = d.series.canary(canary)
	}
	return d.counts
}

// acquire returns the state in force, whose connections are kept until they are released; nil
// without a canary.
func (d *Divider) acquire() *state {
	for {
		s := d.current.Load()
		if s == nil || s.peer.acquire() {
			return s
		}
	}
}
