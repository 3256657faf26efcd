package postgres

import (
	"context"
	"sync"
	"time"
)

const (
	// A document does not wait while fewer than freeGroups are saved; then it waits for one that
	// ends, or for fullGroup documents, which become a group of their own.
	freeGroups, fullGroup = 2, 8
	// maxGroup and maxGroupBytes limit the documents of a group. A document of more than
	// maxGrouped bytes is saved alone: others would wait for it.
	maxGroup, maxGroupBytes, maxGrouped = 256, 1 << 20, 64 << 10
	// groupPatience bounds how long a group may take. Who waits for it may give up before.
	groupPatience = 10 * time.Second
)

// groups saves documents that come at the same time by one statement, which is a fraction of
// the work of one for each.
type groups struct {
	write func(context.Context, []*saving) error

	mu      sync.Mutex
	waiting []*saving
	running int
}

// saving is a document that waits to be saved.
type saving struct {
	row
	ctx  context.Context
	done chan error
}

// row is a document as it is in the table.
type row struct{ runtime, coll, doc, version, node, workflow string }

// save saves a document together with others. If it returns nil, the document is committed; an
// error is that of the group, of which one document may be the cause.
func (g *groups) save(ctx context.Context, r row) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	one := &saving{r, ctx, make(chan error, 1)}
	g.add(one)
	select {
	case err := <-one.done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (g *groups) add(one *saving) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.waiting = append(g.waiting, one)
	if g.running < freeGroups || len(g.waiting) >= fullGroup {
		g.running++
		go g.run()
	}
}

// run saves groups until nothing waits.
func (g *groups) run() {
	for group := g.next(); len(group) > 0; group = g.next() {
		ctx, cancel := context.WithTimeout(context.Background(), groupPatience)
		err := g.write(ctx, group)
		cancel()
		for _, one := range group {
			one.done <- err
		}
	}
}

// next takes the group that is saved next, without documents that nobody waits for; if there
// is none, who asks has ended.
func (g *groups) next() (group []*saving) {
	g.mu.Lock()
	defer g.mu.Unlock()
	n, size := 0, 0
	for ; n < len(g.waiting); n++ {
		one := g.waiting[n]
		if one.ctx.Err() != nil {
			continue
		}
		if size += len(one.doc); len(group) == maxGroup || len(group) > 0 && size > maxGroupBytes {
			break
		}
		group = append(group, one)
	}
	g.waiting = append(g.waiting[:0:0], g.waiting[n:]...)
	if len(group) == 0 {
		g.running--
	}
	return group
}
