package dashboard

import (
	"context"
	"html/template"
	"net/http"
	"time"

	"krt.dev/kn-krt/pkg/dashboard/link"
	"krt.dev/kn-krt/pkg/dashboard/logview"
	"krt.dev/kn-krt/pkg/dashboard/source"
	"krt.dev/kn-krt/pkg/logline"
)

const (
	// firstLines is how many lines a page has before its stream brings more.
	firstLines = 200
	// readLimit bounds how long a page waits for its first lines, and maxNotes the sentences about
	// logs that cannot be read.
	readLimit = 2 * time.Second
	maxNotes  = 5
)

// logsView is the page of logs.
type logsView struct {
	Ref    source.Ref
	Filter logview.Filter
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

func logsPage() page {
	draw := logview.New()
	return page{
		name: "logs", path: "logs", title: "Logs", tab: "Logs",
		view: func(r *request) (any, error) { return newLogsView(r, draw) },
		live: func(view any) []fragment { return []fragment{{id: "log-state", template: "logs-state", data: view}} },
		keep: func() any { return streaming{} },
		own: func(ctx context.Context, r *request, send func(name, id string, data any) error) error {
			f, q := logview.ParseFilter(r.URL.Query(), time.Now())
			return draw.Follow(ctx, r.logs(), f, q, logview.Page{
				Links: logLinks{r.link, r.ref}, Send: func(e logview.Event) error { return send("logs", "", e) },
			})
		},
		scripts: []string{"logs.js"},
		files:   map[string]func(http.ResponseWriter, *request) error{"download": downloadLogs},
	}
}

// logs are those of the request's version.
func (r *request) logs() logview.Version { return logview.Version{Source: r.source, Ref: r.ref} }

// logLinks makes the links of lines.
type logLinks struct {
	link link.Links
	ref  source.Ref
}

// Request implements [logview.Links].
func (l logLinks) Request(id string) string { return l.link.Request(l.ref, id) }

// Only implements [logview.Links].
func (l logLinks) Only(id string) string { return l.link.Page(l.ref, "logs", "id", id) }

// downloadLogs writes the lines that the query selects as a file.
func downloadLogs(w http.ResponseWriter, r *request) error {
	f, q := logview.ParseFilter(r.URL.Query(), time.Now())
	if f.Problem != "" {
		return &source.RefusedError{Refusal: source.Conflict, Text: f.Problem}
	}
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("Content-Disposition", `attachment; filename="`+r.logs().FileName()+`"`)
	err := r.logs().Download(r.Context(), q, w)
	if err != nil {
		h.Del("Content-Disposition")
	}
	return err
}

// streaming is what the stream of a page keeps whose view needs no lines: they are events.
type streaming struct{}

func newLogsView(r *request, draw *logview.Drawer) (*logsView, error) {
	f, q := logview.ParseFilter(r.URL.Query(), time.Now())
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
