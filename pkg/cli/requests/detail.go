package requests

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"krt.dev/kn-krt/pkg/cli/term"
	"krt.dev/kn-krt/pkg/inspection"
	"krt.dev/kn-krt/pkg/legible"
)

// Detail is all that is known of one request: what became of it, its steps on an axis of time,
// and the messages that each step received and returned, if they are kept. What a terminal would
// not print as it is, is escaped.
func Detail(r *inspection.Request, s term.Streams) string {
	d := &detail{printer: newPrinter(s)}
	d.summary(r)
	d.timeline(r)
	if !r.Inspected {
		d.text("\nIts messages were not kept.\n")
		return d.String()
	}
	d.messages(r)
	return d.String()
}

// maxTitle limits what a message is called: "Output of ", a name and more.
const maxTitle = maxName + 50

// detail writes one request.
type detail struct {
	*printer
	bytes.Buffer
}

func (d *detail) text(format string, args ...any) { fmt.Fprintf(d, format, args...) }

// summary writes what became of the request, a line for each fact.
func (d *detail) summary(r *inspection.Request) {
	row := func(name, value string) {
		if value != "" {
			d.text("%-9s %s\n", name, value)
		}
	}
	colour := term.ColourGood
	if r.Failed() {
		colour = term.ColourBad
	}
	row("request", legible.Line(r.ID, maxName))
	row("caused by", legible.Line(r.Causation, maxName))
	row("workflow", legible.Line(r.Workflow, maxName)+bracketed(legible.Line(r.Method, maxName), legible.Line(r.Protocol, maxName)))
	row("result", d.painter.Paint(colour, legible.Line(r.Code, maxName))+" in "+legible.Duration(r.Duration())+
		bracketed(r.How())+", "+d.clock(r))
	row("messages", streamed(r.Stream))
	row("error", failure(r))
	row("sizes", fmt.Sprintf("request %s, response %s", legible.Bytes(int64(r.RequestBytes)), legible.Bytes(int64(r.ResponseBytes))))
	row("trace", legible.Line(r.TraceID, maxName))
	row("pod", legible.Line(r.Replica, maxName))
	if rest := r.Rest; rest != nil {
		text := rest.Code + " after " + legible.Duration(rest.Duration())
		row("then", "the work behind the early reply: "+strings.Join(notEmpty(legible.Line(text, maxName), failure(rest)), ", "))
	}
}

// streamed is what a stream had; "" if there is none.
func streamed(s *inspection.Stream) string {
	switch {
	case s == nil:
		return ""
	case s.Empty():
		return "none"
	}
	return fmt.Sprintf("%d, the first after %s", s.Messages, legible.Duration(s.UntilFirst()))
}

// timeline writes a bar for each step.
func (d *detail) timeline(r *inspection.Request) {
	steps := r.AllSteps()
	bars := make([]term.Bar, len(steps))
	for i := range steps {
		s := &steps[i]
		var notes []string
		if s.Outcome != "" && s.Outcome != "ok" {
			notes = append(notes, legible.Line(s.Outcome, maxName))
		}
		bars[i] = term.Bar{
			Name: legible.Line(s.Node, maxName), Start: r.Begin.Add(milliseconds(s.StartMS)),
			Wait: milliseconds(s.WaitMS), Run: milliseconds(s.RunMS), Notes: append(notes, s.Notes()...),
		}
	}
	if len(bars) == 0 {
		d.text("\nIt was at no node.\n")
		return
	}
	d.text("\n%s", term.Timeline("node", bars))
}

// messages writes what each step received and returned.
func (d *detail) messages(r *inspection.Request) {
	redacted := false
	for _, m := range r.Messages() {
		d.message(m)
		redacted = redacted || m.Payload != nil && m.SameAs == "" && m.Payload.Redacted()
	}
	if redacted {
		d.text("\nValues that the version must not show are [redacted].\n")
	}
}

// message writes a message under its title, or that it is the same as one before.
func (d *detail) message(m inspection.Message) {
	title, p := legible.Line(m.Title, maxTitle), m.Payload
	switch {
	case p == nil:
		d.text("\n%s: %s\n", title, m.Missing)
		return
	case m.SameAs != "":
		d.text("\n%s: %s\n", title, legible.Line(m.SameAs, maxTitle))
		return
	}
	d.text("\n%s: %s, %s\n", title, legible.Line(p.TypeName(), maxName), legible.Bytes(int64(p.Size)))
	if p.Cut {
		d.text("  It is cut%s.\n", after(": ", legible.Line(p.Note, maxErrorText)))
	} else if p.Note != "" {
		d.text("  Note: %s.\n", strings.TrimSuffix(legible.Line(p.Note, maxErrorText), "."))
	}
	d.body(p)
}

func after(before, text string) string {
	if text == "" {
		return ""
	}
	return before + strings.TrimSuffix(text, ".")
}

// body writes the content of a message.
func (d *detail) body(p *inspection.Payload) {
	var out bytes.Buffer
	switch {
	case len(p.JSON) > 0 && json.Indent(&out, p.JSON, "  ", "  ") == nil:
		d.text("  %s\n", legible.PrintableJSON(out.Bytes()))
	case p.Base64 != "":
		d.text("  base64: %s\n", legible.Printable(p.Base64))
	}
}
