package logview

import (
	"net/url"
	"slices"
	"strings"
	"time"

	"krt.dev/kn-krt/pkg/dashboard/source"
	"krt.dev/kn-krt/pkg/logline"
)

const (
	// maxQuery bounds a value of a page's query, in bytes, and maxNodes the nodes in it.
	maxQuery = 253
	maxNodes = 100
)

// Filter is which lines a page shows, as the text of its query.
type Filter struct {
	Nodes                                      []string
	Workflow, Level, Text, ID, Since, From, To string
	// Problem says what is wrong with the query, in a sentence; empty if nothing is.
	Problem string
}

// Has reports whether a node is selected.
func (f *Filter) Has(node string) bool { return slices.Contains(f.Nodes, node) }

// ParseFilter reads a page's query at a time. Values that are too long are cut: they cannot be names.
func ParseFilter(query url.Values, now time.Time) (f Filter, q source.LogQuery) {
	value := func(name string) string {
		return strings.TrimSpace(query.Get(name)[:min(len(query.Get(name)), maxQuery)])
	}
	f = Filter{
		Workflow: value("workflow"), Level: value("level"), Text: value("q"), ID: value("id"),
		Since: value("since"), From: value("from"), To: value("to"),
	}
	for _, node := range query["node"] {
		if node != "" && len(f.Nodes) < maxNodes {
			f.Nodes = append(f.Nodes, node[:min(len(node), maxQuery)])
		}
	}
	q = source.LogQuery{Nodes: f.Nodes, Workflow: f.Workflow, ID: f.ID, Text: f.Text}
	level, ok := logline.ParseLevel(f.Level)
	if q.Level = max(level, logline.Debug); !ok && f.Level != "" {
		f.Problem = "The level must be debug, info, warn or error."
	}
	f.times(&q, now)
	return f, q
}

// times reads the limits of time.
func (f *Filter) times(q *source.LogQuery, now time.Time) {
	if f.Since != "" {
		since, err := time.ParseDuration(f.Since)
		if err != nil || since <= 0 {
			f.Problem = `"Not older than" must be a duration such as 15m.`
		} else {
			q.From = now.Add(-since)
		}
	}
	for _, limit := range []struct {
		text string
		to   *time.Time
	}{{f.From, &q.From}, {f.To, &q.To}} {
		if limit.text == "" {
			continue
		}
		at, err := parseTime(limit.text)
		if err != nil {
			f.Problem = "A time must be as 2026-11-28T14:00 in UTC."
			continue
		}
		*limit.to = at
	}
}

// parseTime reads a time in UTC as browsers send it, or with its zone.
func parseTime(text string) (at time.Time, err error) {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02T15:04"} {
		if at, err = time.Parse(layout, text); err == nil {
			return at, nil
		}
	}
	return at, err
}
