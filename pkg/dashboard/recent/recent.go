// Package recent keeps the requests that a page shows: of each workflow the last ones, and apart
// from them the slowest and those that failed, so that many good requests do not push them out.
package recent

import (
	"cmp"
	"slices"
	"sync"

	"krt.dev/kn-krt/pkg/inspection"
)

// How much is kept at most. A page that is open for a night keeps no more.
const (
	maxLast      = 50
	maxSlowest   = 5
	maxFailed    = 10
	maxWorkflows = 100
)

// Requests keeps requests. It may be used by many goroutines at a time.
type Requests struct {
	mu        sync.Mutex
	workflows []*Workflow // in the order of their names; what is last in them is newest last
	lost      int
}

// Workflow is the requests of one workflow.
type Workflow struct {
	// Name is the workflow's; "" has those that were refused before theirs was known.
	Name string
	// Seen counts all requests, and Failed those of them that failed. Work behind an early reply
	// is not counted.
	Seen, Failed int
	// Last are the last ones, newest first; Slowest the slowest, slowest first; and Failures those
	// that failed, newest first. The three may have requests in common.
	Last, Slowest, Failures []inspection.Request
}

// View is what is kept.
type View struct {
	// Workflows are in the order of their names.
	Workflows []Workflow
	// Lost is how many requests were missed.
	Lost int
}

// Of keeps a list of requests, newest first.
func Of(list []inspection.Request) *Requests {
	r := &Requests{}
	for i := len(list) - 1; i >= 0; i-- {
		r.Add(list[i])
	}
	return r
}

// Add keeps a request that is newer than those before.
func (r *Requests) Add(one inspection.Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	w := r.of(one.Workflow)
	w.Last = last(append(w.Last, one), maxLast)
	if one.Failed() {
		w.Failures = last(append(w.Failures, one), maxFailed)
	}
	if one.Background {
		return // its time is that of the request before it, too
	}
	w.Seen++
	if one.Failed() {
		w.Failed++
	}
	at, _ := slices.BinarySearchFunc(w.Slowest, one, func(a, b inspection.Request) int { return cmp.Compare(b.DurationMS, a.DurationMS) })
	if at < maxSlowest {
		w.Slowest = slices.Insert(w.Slowest, at, one)
		w.Slowest = w.Slowest[:min(maxSlowest, len(w.Slowest))]
	}
}

// of is the workflow of the name. Names come from entrypoints: more than a version has share one.
func (r *Requests) of(name string) *Workflow {
	for {
		at, found := slices.BinarySearchFunc(r.workflows, name, func(w *Workflow, name string) int { return cmp.Compare(w.Name, name) })
		switch {
		case found:
			return r.workflows[at]
		case len(r.workflows) < maxWorkflows || name == "":
			r.workflows = slices.Insert(r.workflows, at, &Workflow{Name: name})
			return r.workflows[at]
		}
		name = ""
	}
}

// Lose counts requests that were missed.
func (r *Requests) Lose(n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lost += n
}

// View returns what is kept now.
func (r *Requests) View() View {
	r.mu.Lock()
	defer r.mu.Unlock()
	v := View{Lost: r.lost}
	for _, w := range r.workflows {
		one := *w
		one.Last, one.Slowest, one.Failures = slices.Clone(w.Last), slices.Clone(w.Slowest), slices.Clone(w.Failures)
		slices.Reverse(one.Last)
		slices.Reverse(one.Failures)
		v.Workflows = append(v.Workflows, one)
	}
	return v
}

// last drops the first of all but most.
func last(all []inspection.Request, most int) []inspection.Request {
	return slices.Delete(all, 0, max(0, len(all)-most))
}
