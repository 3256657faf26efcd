package artifact

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"
)

const (
	// maxCached is how many bytes of files a [Cache] keeps.
	maxCached = 4 * MaxBytes
	// PagePause is the Pause of a [Cache] that serves pages.
	PagePause = 10 * time.Second
	// pullTime is how long an artifact may take to arrive.
	pullTime = 30 * time.Second
	// maxPulls is how many artifacts arrive at a time: each is as large as [MaxBytes] in memory.
	maxPulls = 4
)

// Cache pulls artifacts and keeps the last used ones in memory. It may be used by several goroutines.
type Cache struct {
	Options

	// Pause is how long a failure counts, before the artifact is requested again: open pages ask for the
	// same files again and again. Default: it does not count.
	Pause time.Duration

	pulls singleflight.Group

	mu    sync.Mutex
	kept  []cached      // the last used is the last one
	slots chan struct{} // has an element for each artifact that arrives; nil before the first
}

// cached is an artifact, or why it could not be pulled.
type cached struct {
	ref    string
	files  map[string][]byte
	size   int
	failed error
	at     time.Time // of the failure
}

// Pull returns what [Pull] does. The files must not be changed.
func (c *Cache) Pull(ctx context.Context, ref string) (map[string][]byte, error) {
	if known := c.find(ref); known != nil {
		return known.files, known.failed
	}
	// A page asks for several files at a time, and whoever asks first may leave.
	pulled := c.pulls.DoChan(ref, func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), pullTime)
		defer cancel()
		files, err := c.pull(ctx, ref)
		c.keep(cached{ref: ref, files: files, failed: err, at: time.Now()})
		return files, err
	})
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case result := <-pulled:
		files, _ := result.Val.(map[string][]byte)
		return files, result.Err
	}
}

// pull pulls an artifact when few enough others arrive.
func (c *Cache) pull(ctx context.Context, ref string) (map[string][]byte, error) {
	c.mu.Lock()
	if c.slots == nil {
		c.slots = make(chan struct{}, maxPulls)
	}
	slots := c.slots
	c.mu.Unlock()
	select {
	case slots <- struct{}{}:
		defer func() { <-slots }()
	case <-ctx.Done():
		return nil, errors.New("too many other versions' files are being read: try again in a moment")
	}
	return Pull(ctx, ref, c.Options)
}

// find returns what is known of an artifact; nil if nothing is, or not any more.
func (c *Cache) find(ref string) *cached {
	c.mu.Lock()
	defer c.mu.Unlock()
	at := slices.IndexFunc(c.kept, func(one cached) bool { return one.ref == ref })
	if at < 0 {
		return nil
	}
	found := c.kept[at]
	c.kept = slices.Delete(c.kept, at, at+1)
	if found.failed != nil && time.Since(found.at) >= c.Pause {
		return nil
	}
	c.kept = append(c.kept, found)
	return &found
}

func (c *Cache) keep(one cached) {
	for name, content := range one.files {
		one.size += len(name) + len(content)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.kept = slices.DeleteFunc(c.kept, func(other cached) bool { return other.ref == one.ref })
	c.kept = append(c.kept, one)
	total := 0
	for _, one := range c.kept {
		total += one.size
	}
	for total > maxCached || len(c.kept) > MaxFiles {
		total -= c.kept[0].size
		c.kept = slices.Delete(c.kept, 0, 1)
	}
}
