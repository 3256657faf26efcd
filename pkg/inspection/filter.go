package inspection

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"time"
)

const (
	// MaxRequests is how many requests an entrypoint keeps.
	MaxRequests = 256
	// maxName bounds the names in a filter, in bytes: those of nodes and workflows are
	// shorter (DNS labels).
	maxName = 253
)

// Filter selects requests. The zero value selects all that are kept.
type Filter struct {
	// Limit is the most of the kept requests that are returned, the newest. 0: all of them
	// in a list, and none before what is followed.
	Limit int
	// Failed selects requests that failed.
	Failed bool
	// Slower selects requests that took longer.
	Slower time.Duration
	// Workflow selects requests of one workflow.
	Workflow string
	// Node selects requests that were at a node, or failed there.
	Node string
}

// Match reports whether f selects r. It does not look at Limit.
func (f *Filter) Match(r *Request) bool {
	switch {
	case f.Failed && !r.Failed(), f.Slower > 0 && r.Duration() <= f.Slower, f.Workflow != "" && r.Workflow != f.Workflow:
		return false
	}
	return f.Node == "" || r.Node == f.Node || slices.ContainsFunc(r.Steps, func(s Step) bool { return s.Node == f.Node })
}

// query is f as the parameters of a request; see [ParseFilter].
func (f *Filter) query() url.Values {
	q := url.Values{}
	if f.Limit > 0 {
		q.Set("limit", strconv.Itoa(f.Limit))
	}
	if f.Failed {
		q.Set("failed", "1")
	}
	if f.Slower > 0 {
		q.Set("slower", f.Slower.String())
	}
	if f.Workflow != "" {
		q.Set("workflow", f.Workflow)
	}
	if f.Node != "" {
		q.Set("node", f.Node)
	}
	return q
}

// ParseFilter reads the parameters of a request, and whether it follows. The error names
// the parameter that is unknown, or wrong and what it must be.
func ParseFilter(q url.Values) (f Filter, follow bool, err error) {
	for name, values := range q {
		ok, known := f.set(name, values[0], &follow)
		if !known {
			return Filter{}, false, fmt.Errorf("the parameter %.64q is unknown; known are limit, failed, slower, workflow, node and follow", name)
		}
		if !ok || len(values) > 1 {
			return Filter{}, false, fmt.Errorf("the parameter %s is %.64q; it must be %s, once", name, values[0], form(name))
		}
	}
	return f, follow, nil
}

// set sets one parameter, and reports whether its value is what it must be.
func (f *Filter) set(name, value string, follow *bool) (ok, known bool) {
	var err error
	switch name {
	case "limit":
		f.Limit, err = strconv.Atoi(value)
		return err == nil && f.Limit >= 0 && f.Limit <= MaxRequests, true
	case "failed":
		f.Failed, err = strconv.ParseBool(value)
	case "follow":
		*follow, err = strconv.ParseBool(value)
	case "slower":
		f.Slower, err = time.ParseDuration(value)
		return err == nil && f.Slower >= 0, true
	case "workflow":
		f.Workflow = value
		return len(value) <= maxName, true
	case "node":
		f.Node = value
		return len(value) <= maxName, true
	default:
		return false, false
	}
	return err == nil, true
}

// form is what a parameter must be.
func form(name string) string {
	switch name {
	case "limit":
		return fmt.Sprintf("a number from 0 to %d", MaxRequests)
	case "failed", "follow":
		return "1 or 0"
	case "slower":
		return `a duration such as "250ms"`
	}
	return fmt.Sprintf("a name of at most %d bytes", maxName)
}
