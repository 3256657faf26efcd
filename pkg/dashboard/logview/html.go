package logview

import (
	"bytes"
	_ "embed" // the template
	"html/template"
	"time"

	"krt.dev/kn-krt/pkg/dashboard/visible"
	"krt.dev/kn-krt/pkg/legible"
)

//go:embed lines.html
var page string

// Drawer draws lines as HTML. It may be used by many goroutines at a time.
type Drawer struct{ lines *template.Template }

// New makes a drawer.
func New() *Drawer {
	return &Drawer{visible.All(template.Must(template.New("lines").Funcs(visible.Functions()).Funcs(template.FuncMap{
		"stamp": func(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) },
		"day":   func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05.000 UTC") },
		"clock": func(t time.Time) string { return t.UTC().Format("15:04:05.000") },
		"bytes": func(n int) string { return legible.Bytes(int64(n)) },
	}).Parse(page)))}
}

// Links makes the paths that lines link to.
type Links interface {
	// Request is the page of the request of a correlation id, empty if it has none, Only the logs of that alone.
	Request(id string) string
	Only(id string) string
}

// Draw makes a list item of each line.
func (d *Drawer) Draw(lines []Line, links Links) (template.HTML, error) {
	var out bytes.Buffer
	err := d.lines.Execute(&out, struct {
		Lines []Line
		Links Links
	}{lines, links})
	if err != nil {
		return "", err
	}
	return template.HTML(out.String()), nil //nolint:gosec // html/template has escaped what is in it
}
