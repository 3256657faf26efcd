package dashboard

import (
	"context"
	"html/template"
	"net/http"
	"slices"
	"strings"
	"time"

	"krt.dev/kn-krt/pkg/dashboard/logview"
	"krt.dev/kn-krt/pkg/dashboard/source"
	"krt.dev/kn-krt/pkg/logline"
)

const (
	// firstLines is how many lines a page has before its stream brings more, and logTail how many
	// of each log its stream begins with, unless it is looking for some.
	firstLines = 200
	logTail    = 500
	// readLimit bounds how long a page waits for its first lines.
	readLimit = 2 * time.Second
)

// logsView is the page of logs.
type logsView struct {
	Ref    source.Ref
	Filter logFilter
	// Names are the choices of the filters.
	NodeNames, WorkflowNames []string
	Levels                   []string
	Ages                     []string
	// Lines are the last lines, Count how many.
	Lines template.HTML
	Count int
	// Download is the path of the same lines as a file.
	Download string
	// Asleep are the nodes without pods that are selected.
	Asleep  []string
	Stopped bool
	// Problem says why there are no lines, Notes are sentences about logs that cannot be read.
	Problem *failure
	Notes   []string
}

// logFilter is the query of the page.
type logFilter struct {
	Nodes                                      []string
	Workflow, Level, Text, ID, Since, From, To string
	// Problem says what is wrong with the query.
	Problem string
}

func logsPage() page {
	draw := logview.New()
	return page{
		name: "logs", path: "logs", title: "Logs", tab: "Logs",
		view: func(r *request) (any, error) { return newLogsView(r, draw) },
		live: func(view any) []fragment { return []fragment{{id: "log-state", template: "logs-state", data: view}} },
		keep: func() any { return streaming{} },
		own: func(ctx context.Context, r *request, send func(name, id string, data any) error) error {
			return followLogs(ctx, r, draw, send)
		},
		scripts: []string{"logs.js"},
		files:   map[string]func(http.ResponseWriter, *request) error{"download": downloadLogs},
	}
}

// streaming is what the stream of a page keeps whose view needs no lines: they are events.
type streaming struct{}

// Has reports whether a node is selected.
func (f *logFilter) Has(node string) bool { return slices.Contains(f.Nodes, node) }

// newLogFilter reads the query.
func newLogFilter(r *request, now time.Time) (f logFilter, q source.LogQuery) {
	query := r.URL.Query()
	value := func(name string) string {
		return strings.TrimSpace(query.Get(name)[:min(len(query.Get(name)), maxQuery)])
	}
	f = logFilter{
		Workflow: value("workflow"), Level: value("level"), Text: value("q"), ID: value("id"),
		Since: value("since"), From: value("from"), To: value("to"),
	}
	for _, node := range query["node"] {
		if node != "" && len(f.Nodes) <= len(r.version.Nodes) {
			f.Nodes = append(f.Nodes, node[:min(len(node), maxQuery)])
		}
	}
	q = source.LogQuery{Nodes: f.Nodes, Workflow: f.Workflow, ID: f.ID, Text: f.Text}
	var ok bool
	if q.Level, ok = logline.ParseLevel(f.Level); !ok && f.Level != "" {
		f.Problem = "The level must be debug, info, warn or error."
	}
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
	return f, q
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

func newLogsView(r *request, draw *logview.Drawer) (*logsView, error) {
	f, q := newLogFilter(r, time.Now())
	v := &logsView{Ref: r.ref, Filter: f, Ages: []string{"5m", "15m", "1h", "6h", "24h"}, Stopped: r.version.State == source.Stopped}
	for _, l := range logline.Levels() {
		v.Levels = append(v.Levels, l.String())
	}
	v.NodeNames = []string{source.EntrypointNode}
	for _, n := range r.version.Nodes {
		v.NodeNames = append(v.NodeNames, n.Name)
		if n.State == source.Asleep && (len(f.Nodes) == 0 || f.Has(n.Name)) {
			v.Asleep = append(v.Asleep, n.Name)
		}
	}
	for _, w := range r.version.Workflows {
		v.WorkflowNames = append(v.WorkflowNames, w.Name)
	}
	v.Download = r.link.Page(r.ref, "logs/download")
	if r.URL.RawQuery != "" {
		v.Download += "?" + r.URL.Query().Encode()
	}
	if _, ok := r.kept.(streaming); !ok && f.Problem == "" {
		return v, v.read(r, q, draw)
	}
	return v, nil
}

// read reads the last lines that there are now, as far as they come in time: the stream of the page
// brings all.
func (v *logsView) read(r *request, q source.LogQuery, draw *logview.Drawer) error {
	ctx, cancel := context.WithTimeout(r.Context(), readLimit)
	defer cancel()
	q.Tail = firstLines
	feed := logview.NewFeed()
	err := r.source.Logs(ctx, r.ref, q, source.LogHandler{
		Line:   feed.Add,
		Lost:   feed.Lose,
		Failed: func(text string) { v.Notes = append(v.Notes[:min(len(v.Notes), maxNotes-1)], text) },
	})
	if err != nil && ctx.Err() == nil {
		v.Problem = explain(err)
	}
	lines := feed.Take().Lines
	lines = lines[max(0, len(lines)-firstLines):]
	v.Count = len(lines)
	v.Lines, err = draw.Draw(lines, logLinks{r.link, r.ref})
	return err
}
