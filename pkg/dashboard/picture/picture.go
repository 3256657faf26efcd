// Package picture draws a workflow as the original platform did: a pentagon with a globe for
// the entrypoint, a ring with a disc for each node, a pentagon for the response, and dashed
// arrows between them, with what is known of their states and numbers.
//
// A picture is a list of steps, each with a small SVG: names are set by the browser, which
// knows their width, and the list wraps where a window is narrow. It has no style of its own,
// only classes; the dashboard's CSS has the colours. What is a state by colour is also one by
// shape and by word, and all numbers are in a sentence for screen readers.
package picture

import (
	"embed"
	"fmt"
	"html/template"
	"strings"

	"krt.dev/kn-krt/pkg/dashboard/source"
	"krt.dev/kn-krt/pkg/dashboard/visible"
	"krt.dev/kn-krt/pkg/legible"
)

//go:embed *.html
var files embed.FS

// Flow is what is drawn of a workflow.
type Flow struct {
	// ID begins the ids of the picture's elements: it is unique on a page.
	ID string
	// Workflow is the workflow's name.
	Workflow string
	// Entry is the state of the entrypoint, Published whether clients of the runtime reach it:
	// it is drawn filled then, else as an outline.
	Entry     source.State
	Published bool
	// Steps are the nodes, in order.
	Steps []Step
	// Numbers are what the workflow did in the last seconds; nil if that is not known.
	Numbers *source.WorkflowNumbers
	// Href is the URL of what is known of the entrypoint; Current says that the page shows it.
	Href    string
	Current bool
}

// Step is a node in a workflow.
type Step struct {
	source.Node
	// Warning is what is wrong although the state is well, such as failed requests: in a few words, and
	// as a sentence. Empty if nothing is.
	Warning, Says string
	// Href is the URL of what is known of the node; Current says that the page shows it.
	Href    string
	Current bool
}

// Drawer draws flows. It may be used by many goroutines at a time.
type Drawer struct{ template *template.Template }

// New returns a Drawer.
func New() *Drawer {
	return &Drawer{visible.All(template.Must(template.New("").Funcs(visible.Functions()).ParseFS(files, "*.html")))} // part of the program
}

// Draw returns the picture of a flow: an element "ol" of class "flow". All text in it is escaped.
func (d *Drawer) Draw(f Flow) (template.HTML, error) {
	var out strings.Builder
	if err := d.template.ExecuteTemplate(&out, "flow", f.view()); err != nil {
		return "", fmt.Errorf("cannot draw workflow %.64q: %w", f.Workflow, err)
	}
	return template.HTML(out.String()), nil //nolint:gosec // html/template has made it, and has escaped all of it
}

// view is what the template shows of a flow.
type view struct {
	ID, Label string
	Spots     []spot
}

// spot is the entrypoint, a node or the response, and the edge that leaves it.
type spot struct {
	ID, Kind, Name, Href string
	Current              bool
	State                State
	GPU, Published       bool
	GPUs                 string // which or how many, if the node says so
	// Word is the state's, Figures what is shown below it, Says the sentence with all of it.
	Word    string
	Warning string
	Figures []figure
	Says    string
	Edge    *edge
}

// edge is the arrow from a spot to the next one. Its state is that of the spot.
type edge struct {
	Above, Below []figure
	Says         string
}

// view lays a flow out.
func (f Flow) view() view {
	v := view{ID: f.ID, Label: fmt.Sprintf("Workflow %s: %s, the response", f.Workflow, legible.Count(len(f.Steps), "node"))}
	v.Spots = append(v.Spots, f.entry())
	for i, s := range f.Steps {
		v.Spots = append(v.Spots, f.step(i, s))
	}
	for i := range v.Spots {
		v.Spots[i].Edge = f.edge(i)
	}
	v.Spots = append(v.Spots, f.exit())
	return v
}

func (f Flow) entry() spot {
	s := spot{
		ID: f.ID + "-entry", Kind: "entry", Name: "entrypoint", Href: f.Href, Current: f.Current,
		State: Of(f.Entry), Published: f.Published, Word: f.entryWord(),
	}
	s.Says = "Entrypoint: " + s.Word + "."
	if f.Numbers != nil {
		s.Says = join("Entrypoint: "+s.Word, loadWords(f.Numbers.Load, "request"))
	}
	return s
}

// entryWord says of an entrypoint that is ready whom it serves.
func (f Flow) entryWord() string {
	switch {
	case f.Entry != source.Ready:
		return Of(f.Entry).Word
	case f.Published:
		return "published"
	}
	return "started"
}

func (f Flow) step(i int, step Step) spot {
	s := spot{
		ID: fmt.Sprintf("%s-%d", f.ID, i+1), Kind: "node", Name: step.Name, Href: step.Href, Current: step.Current,
		State: Of(step.State), GPU: step.GPU, GPUs: step.GPUs, Word: stepWord(step), Warning: step.Warning, Figures: podFigures(step),
	}
	about := fmt.Sprintf("Node %s, step %d of %d: %s", step.Name, i+1, len(f.Steps), s.Word)
	s.Says = join(about, step.Cause, step.Says, podWords(step))
	if own := f.numbers(step.Name); own != nil {
		s.Figures = append(s.Figures, loadFigures(own.Load)...)
		s.Says = join(s.Says, loadWords(own.Load, "request"))
	}
	return s
}

// numbers are those of a node; nil if they are not known.
func (f Flow) numbers(node string) *source.NodeNumbers {
	if f.Numbers == nil {
		return nil
	}
	return f.Numbers.Nodes[node]
}

// stepWord is the state's word, and the reason if there is one.
func stepWord(s Step) string {
	word := Of(s.State).Word
	if s.Reason != "" && (s.State == source.Failed || s.State == source.Starting) {
		word += ": " + s.Reason
	}
	return word
}

func (f Flow) exit() spot {
	return spot{
		ID: f.ID + "-exit", Kind: "exit", Name: "response", State: Of(f.Entry), Published: f.Published, Says: "Response to the client",
	}
}

// edge is the one that leaves the spot i: what travels to the next node, or the responses.
func (f Flow) edge(i int) *edge {
	switch {
	case f.Numbers == nil:
		return &edge{}
	case i == len(f.Steps):
		return responses(f.Numbers.Load)
	}
	to := f.Steps[i].Name
	if own := f.numbers(to); own != nil {
		return events(to, own)
	}
	return &edge{}
}
