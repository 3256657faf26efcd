package recent

import (
	"net/url"
	"strings"
	"time"

	"krt.dev/kn-krt/pkg/inspection"
)

// maxQuery bounds a value of a page's query, in bytes.
const maxQuery = 253

// Filter is which requests a page shows, as the text of its query.
type Filter struct {
	Workflow, Node, Slower string
	Failed                 bool
	// Problem says what is wrong with the query, in a sentence; empty if nothing is.
	Problem string
}

// ParseFilter reads a page's query. Values that are too long are cut: they cannot be names.
func ParseFilter(query url.Values) (f Filter, filter inspection.Filter) {
	value := func(name string) string { return query.Get(name)[:min(len(query.Get(name)), maxQuery)] }
	f = Filter{
		Workflow: value("workflow"), Node: value("node"), Slower: strings.TrimSpace(value("slower")),
		Failed: query.Has("failed"),
	}
	filter = inspection.Filter{Workflow: f.Workflow, Node: f.Node, Failed: f.Failed}
	if f.Slower != "" {
		slower, err := time.ParseDuration(f.Slower)
		if err != nil || slower < 0 {
			f.Problem = `"Slower than" must be a duration such as 250ms or 1.5s.`
		}
		filter.Slower = max(slower, 0)
	}
	return f, filter
}
