package artifact

import (
	"context"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"
)

const (
	// maxCached is how many bytes of files a [Cache] keeps.
	maxCached = 4 * MaxBytes
	// pullTime is how long an artifact may take to arrive.
	pullTime = 30 * time.Second
)

// Cache pulls artifacts and keeps the last used ones in memory. It may be used by several goroutines.
type Cache struct {
	Options

	pulls singleflight.Group

	mu   sync.Mutex
	kept []cached // the last used is the last one
}

type cached struct {
	ref   string
	files map[string][]byte
	size  int
}

// Pull returns what [Pull] does. The files must not be changed.
func (c *Cache) Pull(ctx context.Context, ref string) (map[string][]byte, error) {
	if files := c.find(ref); files != nil {
		return files, nil
	}
	// A page asks for several files at a time, and whoever asks first may leave.
	pulled := c.pulls.DoChan(ref, func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), pullTime)
		defer cancel()
		files, err := Pull(ctx, ref, c.Options)
		if err == nil {
			c.keep(ref, files)
		}
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

func (c *Cache) find(ref string) map[string][]byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	at := slices.IndexFunc(c.kept, func(one cached) bool { return one.ref == ref })
	if at < 0 {
		return nil
	}
	found := c.kept[at]
	c.kept = append(slices.Delete(c.kept, at, at+1), found)
	return found.files
}

func (c *Cache) keep(ref string, files map[string][]byte) {
	one := cached{ref: ref, files: files}
	for name, content := range files {
		one.size += len(name) + len(content)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.kept = slices.DeleteFunc(c.kept, func(other cached) bool { return other.ref == ref })
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
