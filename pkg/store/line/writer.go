package line

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"krt.dev/kn-krt/pkg/runner/store"
)

const (
	batchPoints = 1000 // what InfluxDB recommends at least, with
	batchBytes  = 512 << 10
	linger      = time.Second // how long points wait for others
	minPause    = 100 * time.Millisecond
	maxPause    = 10 * time.Second
	warnEvery   = 10 * time.Second // of log lines about the same kind of failure
)

// counts are the points of a writer since it was opened.
type counts struct{ accepted, written, dropped atomic.Uint64 }

// writer sends the points of one database. What one database cannot take does not hold up
// another.
type writer struct {
	server   *remote
	database string
	options  Options
	logger   *slog.Logger
	counts   counts
	queue    *queue
	known    conflicts

	// users is how many calls may add points, and used when the last of them ended. The sink's lock guards both.
	users int
	used  time.Time

	mu     sync.Mutex
	failed error // why the newest request failed; nil when it did not
	warned time.Time

	stop    context.CancelFunc
	stopped sync.WaitGroup
}

// newWriter starts a writer, which begins with what an earlier one has left in its spool.
func newWriter(server *remote, database string, s *spool, left []*batch, o Options) *writer {
	ctx, stop := context.WithCancel(context.Background())
	w := &writer{server: server, database: database, options: o, stop: stop,
		logger: o.Logger.With("backend", server.name, "database", database)}
	w.queue = newQueue(o, s, &w.counts)
	for _, b := range left {
		w.queue.waiting = append(w.queue.waiting, b)
		w.queue.use(0, b.size)
	}
	w.stopped.Go(func() { w.send(ctx) })
	if s != nil {
		w.stopped.Go(func() { w.spill(ctx) })
	}
	return w
}

// idle reports whether nothing waits or is being sent, and nobody is about to add anything. The sink is locked.
func (w *writer) idle() bool {
	memory, disk := w.queue.size()
	return w.users == 0 && memory == 0 && disk == 0
}

// add accepts measurements, all or none. It does not wait for anything.
func (w *writer) add(measurements []store.Measurement) error {
	points := make([][]byte, len(measurements))
	for i, m := range measurements {
		var err error
		if points[i], err = encode(m); err != nil {
			return err
		}
		if err := w.known.check(m, time.Now()); err != nil {
			return err
		}
	}
	for _, point := range points {
		w.queue.add(point)
	}
	w.counts.accepted.Add(uint64(len(points)))
	return nil
}

// send sends batches until ctx is done: each when it is full, or after a second.
func (w *writer) send(ctx context.Context) {
	tick := time.NewTicker(linger)
	defer tick.Stop()
	pause := time.Duration(0)
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			w.queue.flush()
		case <-w.queue.ready:
		}
		for b := w.queue.next(w.logger); b != nil && ctx.Err() == nil; b = w.queue.next(w.logger) {
			wait, err := w.write(ctx, b)
			w.note(err)
			if err == nil {
				w.queue.done()
				pause = 0
				continue
			}
			w.queue.putBack()
			pause = min(max(minPause, 2*pause), maxPause)
			sleep(ctx, max(pause, wait))
		}
		if ctx.Err() != nil {
			w.queue.putBack()
			return
		}
	}
}

func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// write sends one batch, and counts its points when all of it is done. An error means that all
// of it may be sent again, after the time that the server asks for.
func (w *writer) write(ctx context.Context, b *batch) (time.Duration, error) {
	dropped, wait, err := w.parts(ctx, b)
	if err == nil {
		w.counts.written.Add(uint64(b.points - dropped))
		w.counts.dropped.Add(uint64(dropped))
	}
	return wait, err
}

// parts sends one batch, in parts where it is too large, and returns how many points the server
// has refused.
func (w *writer) parts(ctx context.Context, b *batch) (dropped int, wait time.Duration, err error) {
	o, wait, err := w.server.write(ctx, w.database, b)
	if err == nil && o.verdict == noSuchOne {
		if err = w.server.create(ctx, w.database); err == nil {
			o, wait, err = w.server.write(ctx, w.database, b)
		}
	}
	if err != nil {
		return 0, wait, err
	}
	switch o.verdict {
	case taken:
		if o.dropped > 0 {
			w.report(b, o)
		}
		return o.dropped, 0, nil
	case tooLarge:
		first, second := b.halves()
		if second == nil {
			w.report(b, outcome{dropped: b.points, reason: o.reason})
			return b.points, 0, nil
		}
		more := 0
		if dropped, wait, err = w.parts(ctx, first); err == nil {
			more, wait, err = w.parts(ctx, second)
		}
		return dropped + more, wait, err
	default:
		return 0, wait, fmt.Errorf("%s: %s", w.server.name, o.reason)
	}
}

// report logs points that the server did not take, and remembers a field that conflicts.
func (w *writer) report(b *batch, o outcome) {
	arguments := []any{"dropped", o.dropped, "reason", o.reason}
	if c, ok := conflictOf(o.reason); ok {
		w.known.add(c, time.Now())
		arguments = append(arguments, "measurement", c.measurement, "field", c.field, "point", pointOf(b, c))
	}
	w.logger.Error("measurements were refused", arguments...)
}

// note keeps whether the server takes points, and logs when that changes, or does not.
func (w *writer) note(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case err == nil && w.failed != nil:
		w.logger.Info("measurements are written again")
		w.warned = time.Time{}
	case err != nil && time.Since(w.warned) > warnEvery:
		w.logger.Warn("measurements cannot be written: they are kept", "error", err, "dropped", w.counts.dropped.Load())
		w.warned = time.Now()
	}
	w.failed = err
}

func (w *writer) failure() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.failed
}

// spill keeps batches in files while they are too many for memory.
func (w *writer) spill(ctx context.Context) {
	var warned time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case <-w.queue.large:
		}
		if err := w.queue.spill(w.options.MaxMemory / 4); err != nil && time.Since(warned) > warnEvery {
			w.logger.Error("the oldest measurements are dropped while the server takes none", "error", err)
			warned = time.Now()
		}
	}
}

// close sends what has come until ctx is done, and keeps the rest in files; without a
// folder, or where that fails, it is dropped.
func (w *writer) close(ctx context.Context) error {
	w.stop()
	w.stopped.Wait()
	w.queue.flush()
	for b := w.queue.next(w.logger); b != nil; b = w.queue.next(w.logger) {
		if _, err := w.write(ctx, b); err != nil {
			w.queue.putBack()
			break
		}
		w.queue.done()
	}
	if w.queue.spool != nil {
		if err := w.queue.spill(0); err != nil {
			return err
		}
		w.queue.spool.close()
	}
	w.queue.dropAll()
	return nil
}

// conflicts are fields whose type differs from that in a database, for a minute: so long
// the nodes that save them get the error that the server sends too late for the first.
type conflicts struct {
	mu    sync.Mutex
	until map[[2]string]known
}

type known struct {
	conflict
	until time.Time
}

const maxConflicts = 1000

func (k *conflicts) add(c conflict, now time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.until == nil || len(k.until) >= maxConflicts {
		k.until = map[[2]string]known{}
	}
	k.until[[2]string{c.measurement, c.field}] = known{c, now.Add(time.Minute)}
}

func (k *conflicts) check(m store.Measurement, now time.Time) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.until) == 0 {
		return nil
	}
	for field, value := range m.Fields {
		c, ok := k.until[[2]string{m.Name, field}]
		if ok && now.Before(c.until) && kindOf(value) == c.kind {
			return fmt.Errorf("fields: %q has the type %s: in the measurement %q of the database it has the type %s",
				field, c.kind, m.Name, c.existing)
		}
	}
	return nil
}
