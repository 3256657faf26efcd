// Package meter makes the numbers of a version that runs now from what its entrypoint counts:
// it reads the metrics of all replicas again and again while somebody looks, once for all who
// look, and takes the difference of two readings. Nodes are never asked: they scale to zero,
// and a request for their metrics would keep them up.
package meter

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"krt.dev/kn-krt/pkg/dashboard/source"
)

// Interval is the time between two readings.
const Interval = 5 * time.Second

// Fetch calls each with the metrics of each replica of a version's entrypoint, as protobuf (see
// [Accept]), one call at a time, and returns the replicas whose metrics could not be read. Its
// error is why none could be.
type Fetch func(ctx context.Context, each func(replica string, metrics io.Reader) error) (missing []string, err error)

// Reader returns the numbers of a version.
type Reader interface {
	// Read returns them as they are now; nil if they are not known yet.
	Read(ctx context.Context) (*source.Numbers, error)
	// Close ends its connections.
	Close()
}

// entrypoints is a Reader of the metrics of entrypoints.
type entrypoints struct {
	from    string
	fetch   Fetch
	close   func()
	windows windows
}

// Entrypoints returns a Reader of what fetch returns, which people know as from; end, if it is
// not nil, ends its connections.
func Entrypoints(from string, fetch Fetch, end func()) Reader {
	return &entrypoints{from: from, fetch: fetch, close: end, windows: windows{}}
}

func (e *entrypoints) Read(ctx context.Context) (*source.Numbers, error) {
	all := map[string]reading{}
	missing, err := e.fetch(ctx, func(replica string, metrics io.Reader) error {
		r, err := read(metrics)
		if err == nil {
			all[replica] = r
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	e.windows.add(time.Now(), all)
	n := e.windows.numbers()
	if n != nil {
		n.From, n.Missing = e.from, missing
	}
	return n, nil
}

func (e *entrypoints) Close() {
	if e.close != nil {
		e.close()
	}
}

// lingering is how many readings are made after the last one who looked has left: a page that is
// loaded again, or opens a panel, goes on with the numbers.
const lingering = 3

// Meter has the numbers of the versions that somebody looks at.
type Meter struct {
	open  func(source.Ref) Reader
	every time.Duration

	mu      sync.Mutex
	watched map[source.Ref]*watched
}

// New returns a Meter whose numbers of a version are those of the Reader that open returns.
func New(open func(source.Ref) Reader) *Meter {
	return &Meter{open: open, every: Interval, watched: map[source.Ref]*watched{}}
}

// watched is a version that somebody looks at.
type watched struct {
	lookers map[*looker]bool
	left    int              // readings since nobody looks
	past    []source.Numbers // oldest first, at most Kept
	now     *source.Numbers  // of the last reading; nil if they are not known
	err     error            // of the last reading
}

// looker is one call of Follow. The calls of changed do not overlap.
type looker struct{ changed chan struct{} }

// Kept is how many numbers are kept of a version while somebody looks: of 15 minutes.
const Kept = 180

// Numbers returns the last numbers of a version; nil if nobody looks at it, or they are not known
// yet. Its error is why they could not be read.
func (m *Meter) Numbers(ref source.Ref) (*source.Numbers, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	w := m.watched[ref]
	if w == nil {
		return nil, nil
	}
	return w.now, w.err
}

// past returns all numbers of a version that are kept, oldest first.
func (m *Meter) past(ref source.Ref) []source.Numbers {
	m.mu.Lock()
	defer m.mu.Unlock()
	if w := m.watched[ref]; w != nil {
		return append([]source.Numbers(nil), w.past...)
	}
	return nil
}

// Follow reads the numbers of a version until ctx is done, and calls changed after each reading.
// All who look at a version share its readings.
func (m *Meter) Follow(ctx context.Context, ref source.Ref, changed func()) error {
	l := &looker{make(chan struct{}, 1)}
	m.join(ctx, ref, l)
	defer m.leave(ref, l)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-l.changed:
			changed()
		}
	}
}

func (m *Meter) join(ctx context.Context, ref source.Ref, l *looker) {
	m.mu.Lock()
	defer m.mu.Unlock()
	w := m.watched[ref]
	if w == nil {
		w = &watched{lookers: map[*looker]bool{}}
		m.watched[ref] = w
		go m.poll(context.WithoutCancel(ctx), ref, w) // others may look on when this one leaves
	}
	w.lookers[l] = true
}

func (m *Meter) leave(ref source.Ref, l *looker) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.watched[ref].lookers, l)
}

// poll reads until nobody looks any more.
func (m *Meter) poll(ctx context.Context, ref source.Ref, w *watched) {
	reader := m.open(ref)
	defer reader.Close()
	ticks := time.NewTicker(m.every)
	defer ticks.Stop()
	for m.wanted(ref, w) {
		m.read(ctx, reader, w)
		<-ticks.C
	}
}

// wanted reports whether the readings go on, and forgets those that do not.
func (m *Meter) wanted(ref source.Ref, w *watched) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(w.lookers) > 0 {
		w.left = 0
		return true
	}
	w.left++
	if w.left > lingering {
		delete(m.watched, ref)
		return false
	}
	return true
}

// read makes one reading, and lets all who look know.
func (m *Meter) read(ctx context.Context, from Reader, w *watched) {
	ctx, cancel := context.WithTimeoutCause(ctx, 2*Interval, errSlow)
	defer cancel()
	n, err := from.Read(ctx)
	if err != nil && errors.Is(context.Cause(ctx), errSlow) {
		err = errSlow
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if w.now, w.err = n, err; err != nil {
		w.now = nil
	} else if n != nil {
		w.past = append(w.past, *n)
		w.past = append([]source.Numbers(nil), w.past[max(len(w.past)-Kept, 0):]...)
	}
	for l := range w.lookers {
		select {
		case l.changed <- struct{}{}:
		default: // it will look at these, too
		}
	}
}

var errSlow = fmt.Errorf("no response within %v", 2*Interval)
