package dashboard

import (
	"bytes"
	"fmt"
	"html/template"
	"net/http"
	"strconv"
	"time"

	"krt.dev/kn-krt/pkg/dashboard/panel"
	"krt.dev/kn-krt/pkg/dashboard/visible"
	"krt.dev/kn-krt/pkg/dashboard/word"
	"krt.dev/kn-krt/pkg/legible"
)

// shared are the templates that all pages have.
const shared = "templates/layout.html"

// parse reads the templates: a set for each page, so that each may define "main". They are part
// of the program: an error is a fault of it.
func (d *Dashboard) parse() map[string]*template.Template {
	base := template.Must(template.New("").Funcs(visible.Functions()).Funcs(d.functions()).ParseFS(embedded, shared, "templates/parts.html"))
	sets := map[string]*template.Template{}
	for _, name := range append(pageNames(d.pages), "failure", "confirm") {
		sets[name] = visible.All(template.Must(template.Must(base.Clone()).ParseFS(embedded, "templates/"+name+".html")))
	}
	return sets
}

func pageNames(pages []page) []string {
	var names []string
	for _, p := range pages {
		names = append(names, p.name)
	}
	return names
}

// functions are what templates may call.
func (d *Dashboard) functions() template.FuncMap {
	return template.FuncMap{
		"versions":   d.link.Versions,
		"table":      d.link.Table,
		"everything": d.link.Everything,
		"create":     d.createPath,
		"page":       d.link.Page,
		"action":     d.link.Action,
		"asset":      d.link.Asset,
		"rfc3339":    func(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) },
		"utc":        func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") },
		"count":      legible.Count,
		"clock":      func(t time.Time) string { return t.UTC().Format("15:04:05.000") },
		"duration":   legible.Spaced,
		"length":     word.Length,
		"outcome":    word.Outcome,
		"word":       word.State,
		"advice":     panel.NewAdvice,
		"because":    panel.NewCause,
	}
}

// serve renders the page.
func (d *Dashboard) serve(p page) http.HandlerFunc {
	return func(w http.ResponseWriter, hr *http.Request) {
		r, err := d.open(hr)
		if err != nil {
			d.fail(w, err)
			return
		}
		if to := p.elsewhere(r); to != "" {
			w.Header().Set("Cache-Control", "no-store")
			http.Redirect(w, hr, to, http.StatusSeeOther)
			return
		}
		view, err := p.view(r)
		if err != nil {
			d.fail(w, err)
			return
		}
		d.show(w, r, p, view)
	}
}

// show writes a page.
func (d *Dashboard) show(w http.ResponseWriter, r *request, p page, view any) {
	d.write(w, http.StatusOK, p.name, d.fill(r, p, view))
}

// fill is the sheet of a page with its view.
func (d *Dashboard) fill(r *request, p page, view any) *sheet {
	s := d.sheet(r, p)
	s.View = view
	s.Events = d.eventsPath(r.Request)
	return s
}

// eventsPath is the path of the stream of a page, with the page's query.
func (d *Dashboard) eventsPath(r *http.Request) string {
	path := r.URL.EscapedPath()
	if path != d.link.Versions() {
		path += "/"
	}
	path += "events"
	if r.URL.RawQuery != "" {
		path += "?" + r.URL.RawQuery
	}
	return path
}

// write renders the whole page before it sends any of it, so that an error is a page too.
func (d *Dashboard) write(w http.ResponseWriter, status int, name string, s *sheet) {
	page, err := d.render(name, s)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Length", strconv.Itoa(len(page)))
	w.WriteHeader(status)
	_, _ = w.Write(page) // the browser is gone: nobody is left to be told
}

func (d *Dashboard) render(name string, s *sheet) ([]byte, error) {
	var page bytes.Buffer
	if err := d.templates[name].ExecuteTemplate(&page, "layout", s); err != nil {
		return nil, fmt.Errorf("cannot render the page: %w", err)
	}
	return page.Bytes(), nil
}

// file serves a response that is not a page.
func (d *Dashboard) file(write func(http.ResponseWriter, *request) error) http.HandlerFunc {
	return func(w http.ResponseWriter, hr *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		out := &begun{ResponseWriter: w}
		r, err := d.open(hr)
		if err == nil {
			err = write(out, r)
		}
		switch {
		case err != nil && out.wrote:
			panic(http.ErrAbortHandler) // so that the browser does not take it for the whole file
		case err != nil:
			w.Header().Del("Content-Disposition")
			d.fail(w, err)
		}
	}
}

// begun notes whether a part of the response has been written.
type begun struct {
	http.ResponseWriter
	wrote bool
}

// Write implements [io.Writer].
func (b *begun) Write(p []byte) (int, error) {
	b.wrote = true
	return b.ResponseWriter.Write(p)
}

// Unwrap is for [http.ResponseController].
func (b *begun) Unwrap() http.ResponseWriter { return b.ResponseWriter }
