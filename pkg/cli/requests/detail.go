package requests

import (
	"bytes"
	"cmp"
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

// detail writes one request.
type detail struct {
	*printer
	bytes.Buffer

	redacted bool
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
	row("error", failure(r))
	row("sizes", fmt.Sprintf("request %s, response %s", legible.Bytes(int64(r.RequestBytes)), legible.Bytes(int64(r.ResponseBytes))))
	row("trace", legible.Line(r.TraceID, maxName))
	row("pod", legible.Line(r.Replica, maxName))
	if rest := r.Rest; rest != nil {
		text := rest.Code + " after " + legible.Duration(rest.Duration())
		row("then", "the work behind the early reply: "+strings.Join(notEmpty(legible.Line(text, maxName), failure(rest)), ", "))
	}
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
	d.message("Request", r.Input, "")
	last := shown{r.Input, ""}
	if r.Input != nil {
		last.from = "the request"
	}
	responded := false
	steps := r.AllSteps()
	for i := range steps {
		last = d.step(steps[:i+1], last)
		if steps[i].Outcome == "reply" && !r.Failed() {
			d.message("Response", r.Output, d.already(r.Output, last))
			responded = true
		}
	}
	if !r.Failed() && !responded {
		d.message("Response", r.Output, d.already(r.Output, last))
	}
	if d.redacted {
		d.text("\nValues that the version must not show are [redacted].\n")
	}
}

// shown is the message that was written last, and what it is.
type shown struct {
	message *inspection.Payload
	from    string
}

// step writes the messages of the last of steps, and returns what the next one should have got.
func (d *detail) step(steps []inspection.Step, last shown) shown {
	at := len(steps) - 1
	s, before := &steps[at], steps[:at]
	of := " of " + legible.Line(s.Node, maxName)
	switch {
	case inspection.BehindReply(steps, at):
		of += ", behind its early reply" // its input is that of the step before
	case len(before) > 0 || !same(s.Input, last.message):
		d.message("Input"+of, s.Input, d.already(s.Input, last))
	}
	switch {
	case s.Output != nil:
		d.message("Output"+of, s.Output, "")
		return shown{s.Output, "the output" + of}
	case s.Outcome == "error":
		d.text("\nOutput%s: none, it failed\n", of)
	default:
		d.message("Output"+of, nil, "")
	}
	return last
}

// already is what a message is the same as, if it is.
func (d *detail) already(p *inspection.Payload, last shown) string {
	if p == nil || !same(p, last.message) {
		return ""
	}
	return last.from
}

// same reports whether two messages have the same content.
func same(a, b *inspection.Payload) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Type == b.Type && a.Size == b.Size && a.Base64 == b.Base64 && a.Note == b.Note && bytes.Equal(a.JSON, b.JSON)
}

// message writes a message under a head, or that it is the same as one before.
func (d *detail) message(head string, p *inspection.Payload, sameAs string) {
	switch {
	case p == nil:
		d.text("\n%s: %s\n", head, inspection.NotKept)
		return
	case sameAs != "":
		d.text("\n%s: %s\n", head, sameAs)
		return
	}
	d.text("\n%s: %s, %s\n", head, cmp.Or(legible.Line(p.Type, maxName), "a message of unknown type"), legible.Bytes(int64(p.Size)))
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
		d.redacted = d.redacted || bytes.Contains(p.JSON, []byte(`"[redacted]"`))
		d.text("  %s\n", legible.PrintableJSON(out.Bytes()))
	case p.Base64 != "":
		d.text("  base64: %s\n", legible.Printable(p.Base64))
	}
}
