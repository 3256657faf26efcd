// Package message makes messages of requests fit for a page.
package message

import (
	"bytes"
	"encoding/json"
	"strings"

	"krt.dev/kn-krt/pkg/inspection"
	"krt.dev/kn-krt/pkg/legible"
	"krt.dev/kn-krt/pkg/runner/clip"
)

const (
	// Most is how much of one message a page shows, in bytes of its JSON.
	Most = 64 << 10
	// maxOpen is how large a message may be that is shown at once.
	maxOpen = 4 << 10
)

// View is a message that a step received or returned, as the template "message" shows it.
type View struct {
	inspection.Message
	// Size is the message's own size; Text its JSON, or base64; Left how much of it is not shown, and
	// Whole the command that prints all of it.
	Size, Text, Left, Whole string
	Base64, Open            bool
	// Note says what is wrong with it, in a sentence.
	Note string
}

// New makes the view of a message, with at most most bytes of its text. Whole is the command that prints
// all of it.
func New(m inspection.Message, most int, whole string) View {
	v := View{Message: m, Whole: whole}
	p := m.Payload
	if p == nil {
		return v
	}
	v.Size = legible.Bytes(int64(p.Size))
	if m.SameAs != "" {
		return v
	}
	v.Note = strings.TrimSuffix(legible.Line(p.Note, Most), ".")
	var out bytes.Buffer
	switch {
	case len(p.JSON) > 0 && json.Indent(&out, p.JSON, "", "  ") == nil:
		v.Text = string(legible.PrintableJSON(out.Bytes()))
	case p.Base64 != "":
		v.Text, v.Base64 = legible.Printable(p.Base64), true
	}
	v.Open = len(v.Text) <= maxOpen
	if len(v.Text) > most {
		at := clip.At(v.Text, most)
		v.Text, v.Left = v.Text[:at], legible.Bytes(int64(len(v.Text)-at))
	}
	return v
}
