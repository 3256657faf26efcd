package dashboard

import (
	"context"
	"crypto/rand"
	"slices"
	"sync"

	"krt.dev/kn-krt/pkg/dashboard/source"
	"krt.dev/kn-krt/pkg/legible"
)

// Bounds of uploads and what is kept of them.
const (
	maxBundle    = 512 << 20
	maxUploads   = 4 // at a time, until they are made
	maxCreating  = 2
	maxCreations = 20
	maxProgress  = 500
	maxName      = 63 // of a namespace (RFC 1123)
)

// Creation is a version that is made of an uploaded bundle.
type Creation struct {
	Namespace string
	// Path is the packed bundle (.krt), which is removed afterwards.
	Path string
	// Log receives what happens, line by line; it may be called from several goroutines.
	Log func(line string)
}

// creation is one that has begun.
type creation struct {
	id, namespace string

	mu      sync.Mutex
	lines   []string
	left    int // lines that are not kept any more
	done    bool
	version string
	err     error
	changed chan struct{} // closed at the next change
}

// change changes c and wakes the pages that show it.
func (c *creation) change(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f()
	close(c.changed)
	c.changed = make(chan struct{})
}

func (c *creation) log(line string) {
	c.change(func() {
		c.lines = append(c.lines, legible.Printable(line))
		if len(c.lines) > maxProgress {
			c.lines, c.left = c.lines[1:], c.left+1
		}
	})
}

func (c *creation) ended() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.done
}

// creations are the newest, in order.
type creations struct {
	mu      sync.Mutex
	all     []*creation
	uploads int  // whose files are there
	closed  bool // no more are taken
	running sync.WaitGroup
}

// begin makes room for another one.
func (c *creations) begin(namespace string) (*creation, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	running := 0
	for _, other := range c.all {
		if !other.ended() {
			running++
		}
	}
	if running >= maxCreating {
		return nil, &source.RefusedError{Text: "Two versions are being created already. Try again when one of them is ready."}
	}
	if len(c.all) == maxCreations {
		at := slices.IndexFunc(c.all, (*creation).ended)
		c.all = slices.Delete(c.all, at, at+1)
	}
	begun := &creation{id: rand.Text(), namespace: namespace, changed: make(chan struct{})}
	c.all = append(c.all, begun)
	return begun, nil
}

func (c *creations) find(id string) (*creation, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, known := range c.all {
		if known.id == id {
			return known, nil
		}
	}
	return nil, errNoPage
}

// creationView is what the page of a creation shows.
type creationView struct {
	Lines   []string
	Left    int
	Done    bool
	Ref     source.Ref
	Problem *failure
}

func (c *creation) view() *creationView {
	c.mu.Lock()
	defer c.mu.Unlock()
	v := &creationView{Lines: slices.Clone(c.lines), Left: c.left, Done: c.done, Ref: source.Ref{Namespace: c.namespace, Name: c.version}}
	if c.err != nil {
		v.Problem = explain(c.err)
	}
	return v
}

// createView is the form for a bundle.
type createView struct {
	Namespaces []string
	// Only says that there is no other namespace.
	Only   bool
	Reason string
}

func createPage() page {
	return page{
		name: "create", path: "/create", top: true, title: "Create a version",
		view: func(r *request) (any, error) {
			v := &createView{Reason: r.creating.reason(r.readOnly), Only: r.creating.Only}
			if v.Reason != "" {
				return v, nil
			}
			if v.Only {
				v.Namespaces = []string{r.creating.Namespace}
				return v, nil
			}
			all, err := r.source.Versions(r.Context())
			v.Namespaces = namespaces(all, r.creating.Namespace)
			return v, err
		},
	}
}

func creationPage() page {
	return page{
		name: "creation", path: "/create/{id}", top: true, title: "Create a version",
		view: func(r *request) (any, error) {
			c, err := r.creations.find(r.PathValue("id"))
			if err != nil {
				return nil, err
			}
			return c.view(), nil
		},
		live: func(view any) []fragment { return []fragment{{id: "creation", template: "creation", data: view}} },
		follow: []follower{func(ctx context.Context, r *request, changed func()) error {
			c, err := r.creations.find(r.PathValue("id"))
			if err != nil {
				return err
			}
			for {
				c.mu.Lock()
				next := c.changed
				c.mu.Unlock()
				changed()
				select {
				case <-ctx.Done():
					return nil
				case <-next:
				}
			}
		}},
	}
}

// Creating is how versions are created from a dashboard.
type Creating struct {
	// Create makes the version, and returns its name; nil if that is not possible, for Reason.
	Create func(Creation) (version string, err error)
	Reason string
	// Namespace is the one that the form proposes; all that have versions are offered. With Only it
	// is the only one: the dashboard shows no versions of others.
	Namespace string
	Only      bool
}

// reason is why nothing can be created; empty if it can.
func (c *Creating) reason(readOnly bool) string {
	switch {
	case readOnly:
		return readOnlyReason
	case c.Create == nil:
		return c.Reason
	}
	return ""
}

// createPath is the path of the form for a bundle; empty in a dashboard that does not create
// versions at all.
func (d *Dashboard) createPath() string {
	if d.options.Creating.Create == nil && d.options.Creating.Reason == "" {
		return ""
	}
	return d.link.Prefix + "/create"
}
