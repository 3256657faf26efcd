package line

import (
	"log/slog"
	"slices"
	"sync"
)

// queue is the batches that wait to be sent, the oldest first. Add never waits for a disk
// or for the server: when memory is full, the oldest batches that are in memory are
// dropped, which happens only where they cannot be spilled as fast.
type queue struct {
	options Options
	spool   *spool
	counts  *counts

	mu      sync.Mutex
	filling *batch
	waiting []*batch
	sending *batch // removed from waiting
	memory  int    // bytes in memory: filling and waiting
	disk    int64  // bytes in files

	ready chan struct{} // has a value when a batch waits
	large chan struct{} // has a value when there is something to spill
}

func newQueue(o Options, s *spool, c *counts) *queue {
	return &queue{options: o, spool: s, counts: c, filling: &batch{},
		ready: make(chan struct{}, 1), large: make(chan struct{}, 1)}
}

// notify makes the other side of c look, unless it is going to.
func notify(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// add appends a point.
func (q *queue) add(point []byte) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.filling.lines = append(q.filling.lines, point...)
	q.filling.size += len(point)
	q.filling.points++
	q.use(len(point), 0)
	if q.filling.points >= batchPoints || q.filling.size >= batchBytes {
		q.closeFilling()
	}
	if q.memory > q.options.MaxMemory/2 && q.spool != nil {
		notify(q.large)
	}
	q.drop(inMemory, func() bool {
		return q.memory > q.options.MaxMemory || q.options.total.memory.Load() > q.options.TotalMemory
	})
}

// use counts bytes in memory and in files.
func (q *queue) use(memory, disk int) {
	q.memory += memory
	q.disk += int64(disk)
	q.options.total.memory.Add(int64(memory))
	q.options.total.disk.Add(int64(disk))
}

// closeFilling lets the points that have come wait to be sent.
func (q *queue) closeFilling() {
	if q.filling.points == 0 {
		return
	}
	q.waiting = append(q.waiting, q.filling)
	q.filling = &batch{lines: make([]byte, 0, q.filling.size)}
	notify(q.ready)
}

// drop removes the oldest batches of those that are meant, while they are too many, and
// counts their points.
func (q *queue) drop(meant func(*batch) bool, tooMany func() bool) {
	q.waiting = slices.DeleteFunc(q.waiting, func(b *batch) bool {
		if !meant(b) || !tooMany() {
			return false
		}
		q.forget(b)
		q.counts.dropped.Add(uint64(b.points))
		return true
	})
}

// forget frees what b uses.
func (q *queue) forget(b *batch) {
	if inMemory(b) {
		q.use(-b.size, 0)
		return
	}
	q.use(0, -b.size)
	q.spool.remove(b.file)
}

// flush lets what has come wait to be sent, however little it is.
func (q *queue) flush() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closeFilling()
}

// next removes the oldest batch, with its lines; nil when none waits. What cannot be read
// is dropped.
func (q *queue) next(logger *slog.Logger) *batch {
	for {
		q.mu.Lock()
		if len(q.waiting) == 0 {
			q.mu.Unlock()
			return nil
		}
		b := q.waiting[0]
		q.waiting = q.waiting[1:]
		q.sending = b
		q.mu.Unlock()
		if inMemory(b) {
			return b
		}
		lines, err := q.spool.read(b.file)
		if err == nil {
			return &batch{points: b.points, size: b.size, lines: lines, file: b.file}
		}
		logger.Error("measurements that were kept in a file are lost", "points", b.points, "error", err)
		q.counts.dropped.Add(uint64(b.points))
		q.done()
	}
}

// done frees what the batch that was sent uses.
func (q *queue) done() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.forget(q.sending)
	q.sending = nil
}

// putBack lets the batch that was to be sent, if there is one, wait as the oldest.
func (q *queue) putBack() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.sending != nil {
		q.waiting = append([]*batch{q.sending}, q.waiting...)
		q.sending = nil
	}
}

// spill moves batches to files until memory holds at most keep bytes of those that wait,
// and removes the oldest files while they exceed their limit.
func (q *queue) spill(keep int) error {
	for {
		b := q.toSpill(keep)
		if b == nil {
			return nil
		}
		file, err := q.spool.write(b)
		if err != nil {
			return err
		}
		q.spilled(b, file)
	}
}

func (q *queue) toSpill(keep int) *batch {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.memory <= keep {
		return nil
	}
	for _, b := range q.waiting {
		if inMemory(b) {
			return b
		}
	}
	return nil
}

// spilled notes that b is in a file, unless it was sent or dropped meanwhile.
func (q *queue) spilled(b *batch, file string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, other := range q.waiting {
		if other != b {
			continue
		}
		q.use(-b.size, b.size)
		b.lines, b.file = nil, file
		q.drop(inFile, func() bool { return q.disk > q.options.MaxDisk || q.options.total.disk.Load() > q.options.TotalDisk })
		return
	}
	q.spool.remove(file)
}

// size returns the bytes that wait in memory and in files.
func (q *queue) size() (memory, disk int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return int64(q.memory), q.disk
}

// dropAll drops what waits in memory.
func (q *queue) dropAll() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.drop(inMemory, func() bool { return true })
}
