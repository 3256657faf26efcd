package waterfall

import (
	"bytes"
	_ "embed" // the templates
	"html/template"

	"krt.dev/kn-krt/pkg/dashboard/visible"
)

//go:embed waterfall.html
var source string

// Drawer draws charts as HTML. It may be used by many goroutines at a time.
type Drawer struct{ templates *template.Template }

// New makes a drawer.
func New() *Drawer {
	return &Drawer{visible.All(template.Must(template.New("waterfall").Funcs(visible.Functions()).Parse(source)))}
}

// Table is the chart in full: a row for each step with its bar, its times and what is special.
func (d *Drawer) Table(c Chart) (template.HTML, error) { return d.draw("table", c) }

// Strip is the chart as one small picture, with its summary as text.
func (d *Drawer) Strip(c Chart) (template.HTML, error) { return d.draw("strip", c) }

func (d *Drawer) draw(name string, c Chart) (template.HTML, error) {
	var out bytes.Buffer
	if err := d.templates.ExecuteTemplate(&out, name, c); err != nil {
		return "", err
	}
	return template.HTML(out.String()), nil //nolint:gosec // html/template has escaped what is in it
}
