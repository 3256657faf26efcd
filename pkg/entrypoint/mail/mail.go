// Package mail saves what an entrypoint keeps of requests for later, letters (package letter): in the
// background and with bounds, so that a store that is away slows no request.
package mail

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"krt.dev/kn-krt/pkg/letter"
	"krt.dev/kn-krt/pkg/runner/loglimit"
)

const (
	// maxWaiting and maxBytes bound the letters that wait to be saved, and their data, until Last.
	maxWaiting = 4096
	maxBytes   = 64 << 20
	// savers is how many letters are saved at a time.
	savers = 8
	// readers is how many are read at a time: what they take is not known before.
	readers = 4
	// patience is how long a letter is tried to be saved; attempt bounds one try of that.
	patience = 30 * time.Second
	attempt  = 5 * time.Second
	// firstPause is that after the first try; it doubles up to mostPause.
	firstPause = 100 * time.Millisecond
	mostPause  = 3 * time.Second
)

// Store is the store of letters; a [letter.Client] is one.
type Store interface {
	Put(ctx context.Context, l letter.Letter) error
	Get(ctx context.Context, kind letter.Kind, version, id string) (*letter.Letter, error)
	Delete(ctx context.Context, kind letter.Kind, version, id string) error
	List(ctx context.Context, kind letter.Kind, of letter.Selection) (letter.Page, error)
}

// Box saves letters. A nil box keeps none. It is a prometheus.Collector.
type Box struct {
	Store
	log     *slog.Logger
	kept    *prometheus.CounterVec
	dropped *prometheus.CounterVec

	mu      sync.Mutex
	waiting int
	saving  map[string]int // ids of letters that wait, with their kind
	bytes   int64
	last    bool
	closed  bool
	work    sync.WaitGroup
	turns   chan struct{}
	reading chan struct{}
	life    context.Context
	end     context.CancelFunc
}

// New returns a box that saves letters in the store until Close. What goes wrong is logged to log.
func New(store Store, log *slog.Logger) *Box {
	b := &Box{
		Store: store, saving: map[string]int{}, log: slog.New(loglimit.New(log.Handler())), turns: make(chan struct{}, savers),
		reading: make(chan struct{}, readers),
		kept: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "krt_letters_kept_total", Help: "Results and dead letters saved in the store, by kind.",
		}, []string{"kind"}),
		dropped: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "krt_letters_dropped_total", Help: "Results and dead letters that could not be saved in the store, by kind.",
		}, []string{"kind"}),
	}
	for _, kind := range letter.Kinds() {
		b.kept.WithLabelValues(string(kind))
		b.dropped.WithLabelValues(string(kind))
	}
	b.life, b.end = context.WithCancel(context.Background())
	return b
}

// Describe implements prometheus.Collector.
func (b *Box) Describe(to chan<- *prometheus.Desc) {
	if b != nil {
		b.kept.Describe(to)
		b.dropped.Describe(to)
	}
}

// Collect implements prometheus.Collector.
func (b *Box) Collect(to chan<- prometheus.Metric) {
	if b != nil {
		b.kept.Collect(to)
		b.dropped.Collect(to)
	}
}

// Keep saves l in the background, and does not wait. Free, which may be nil, is called when the data of l
// is not used any more; then is called once it is known whether l is kept, and may be nil too.
func (b *Box) Keep(l letter.Letter, free func(), then func(kept bool)) {
	b.keep(l, free, then, b.Save)
}

// KeepLate is Keep for a letter of a request that no replica holds any more. If it is a response, and one is kept
// already, that was the first and stays: an early reply, which the last node's response follows.
func (b *Box) KeepLate(l letter.Letter, free func()) { b.keep(l, free, nil, b.saveLate) }

func (b *Box) keep(l letter.Letter, free func(), then func(kept bool), save func(context.Context, letter.Letter) error) {
	if free == nil {
		free = func() {}
	}
	if then == nil {
		then = func(bool) {}
	}
	if b == nil {
		free()
		then(false)
		return
	}
	size := int64(len(l.Data))
	name := nameOf(l.Kind, l.ID)
	if err := b.enter(name, size); err != nil {
		free()
		b.drop(&l, err)
		then(false)
		return
	}
	go func() {
		defer b.leave(name, size)
		defer free()
		b.turns <- struct{}{}
		defer func() { <-b.turns }()
		then(save(b.life, l) == nil)
	}()
}

// Get reads a letter from the store, in its turn: many large ones at a time would take more memory than there is.
func (b *Box) Get(ctx context.Context, kind letter.Kind, version, id string) (*letter.Letter, error) {
	select {
	case b.reading <- struct{}{}:
		defer func() { <-b.reading }()
		return b.Store.Get(ctx, kind, version, id)
	case <-ctx.Done():
		return nil, fmt.Errorf("too many letters are being read: %w", ctx.Err())
	}
}

var errStopping = errors.New("the version is stopping")

// enter makes room for a letter. The error says that there is none.
func (b *Box) enter(name string, size int64) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.closed:
		return errStopping
	case !b.last && (b.waiting >= maxWaiting || b.bytes+size > maxBytes):
		return fmt.Errorf("%d letters with %d bytes wait to be saved, which is as many as may", b.waiting, b.bytes)
	}
	b.waiting, b.bytes = b.waiting+1, b.bytes+size
	b.saving[name]++
	b.work.Add(1)
	return nil
}

// begin has Close wait for work that takes no letter's place: until work.Done. The error says that it may not begin.
func (b *Box) begin() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return errStopping
	}
	b.work.Add(1)
	return nil
}

func (b *Box) leave(name string, size int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.waiting, b.bytes = b.waiting-1, b.bytes-size
	if b.saving[name]--; b.saving[name] == 0 {
		delete(b.saving, name)
	}
	b.work.Done()
}

func nameOf(kind letter.Kind, id string) string { return string(kind) + "/" + id }

// Saving reports whether a letter waits to be saved.
func (b *Box) Saving(kind letter.Kind, id string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.saving[nameOf(kind, id)] > 0
}

// Save saves l, and returns when it is saved, or cannot be, which it counts. It tries again for at most
// 30 seconds, or until ctx is done.
func (b *Box) Save(ctx context.Context, l letter.Letter) error { return b.save(ctx, l, b.Put) }

// saveLate is Save for KeepLate.
func (b *Box) saveLate(ctx context.Context, l letter.Letter) error { return b.save(ctx, l, b.putLate) }

// putLate puts l unless the first response is kept. Of failures the store itself sees that they replace none.
func (b *Box) putLate(ctx context.Context, l letter.Letter) error {
	if l.Kind == letter.Result && l.Status == nil {
		switch first, err := b.Get(ctx, l.Kind, l.Version, l.ID); {
		case err == nil && first.Status == nil:
			return nil
		case err != nil && !errors.Is(err, letter.ErrNotFound):
			return err
		}
	}
	return b.Put(ctx, l)
}

func (b *Box) save(ctx context.Context, l letter.Letter, put func(context.Context, letter.Letter) error) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	err := try(ctx, l, put)
	if err != nil {
		b.drop(&l, err)
		return err
	}
	b.kept.WithLabelValues(string(l.Kind)).Inc()
	return nil
}

// try puts l until it is saved, that is of no use, or ctx is done.
func try(ctx context.Context, l letter.Letter, put func(context.Context, letter.Letter) error) error {
	for pause := firstPause; ; pause = min(2*pause, mostPause) {
		once, cancel := context.WithTimeout(ctx, attempt)
		err := put(once, l)
		cancel()
		if err == nil || !letter.Temporary(err) {
			return err
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return err
		}
	}
}

// drop counts and logs a letter that is not saved.
func (b *Box) drop(l *letter.Letter, err error) {
	b.dropped.WithLabelValues(string(l.Kind)).Inc()
	b.log.Error("a letter is lost: it could not be saved in the store",
		"kind", l.Kind, "workflow", l.Workflow, "node", l.Node, "id", l.ID, "error", err)
}

// Last says that no request begins any more. What is kept of those that are left is in memory already, so there is no bound
// to how much waits.
func (b *Box) Last() {
	if b != nil {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.last = true
	}
}

// Close waits until the letters are saved, for at most the given time. Later ones are dropped.
func (b *Box) Close(limit time.Duration) {
	if b == nil {
		return
	}
	b.mu.Lock()
	b.closed = true
	b.mu.Unlock()
	defer time.AfterFunc(limit, b.end).Stop()
	b.work.Wait()
	b.end()
}
