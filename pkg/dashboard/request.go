package dashboard

import (
	"bytes"
	"encoding/json"
	"html/template"
	"strings"

	"krt.dev/kn-krt/pkg/dashboard/source"
	"krt.dev/kn-krt/pkg/dashboard/waterfall"
	"krt.dev/kn-krt/pkg/inspection"
	"krt.dev/kn-krt/pkg/legible"
	"krt.dev/kn-krt/pkg/runner/clip"
)

// What is shown of the messages of one request at most, in bytes of JSON: of one, and of all.
const (
	maxMessage  = 64 << 10
	maxMessages = 1 << 20
	// maxOpen is how large a message may be that is shown at once.
	maxOpen = 4 << 10
)

// requestView is what is known of one request.
type requestView struct {
	Ref source.Ref
	*source.KeptRequest
	Duration, RequestSize, ResponseSize string
	// UntilFirst is the time until the first message of a stream.
	UntilFirst string
	// Trace is the address of the trace's page; empty without one.
	Trace string
	Chart template.HTML
	// Steps counts the rows of the chart.
	Steps    int
	Messages []messageView
	Redacted bool
	// RestDuration is the time until the work behind an early reply had ended; Open says that it
	// has not, as far as is known.
	RestDuration string
	Open         bool
}

// messageView is a message that a step received or returned.
type messageView struct {
	inspection.Message
	// Size is the message's own size; Text its JSON, or base64; Left how much of it is not shown.
	Size, Text, Left string
	Base64, Open     bool
	// Note says what is wrong with it, in a sentence.
	Note string
}

func requestPage() page {
	draw := waterfall.New()
	return page{
		name: "request", path: "requests/{id}", title: "Request", under: "requests",
		view: func(r *request) (any, error) { return newRequestView(r, draw) },
	}
}

func newRequestView(r *request, draw *waterfall.Drawer) (*requestView, error) {
	kept, err := r.source.Request(r.Context(), r.ref, r.PathValue("id"))
	if err != nil {
		return nil, err
	}
	chart := waterfall.Of(&kept.Request)
	v := &requestView{
		Ref: r.ref, KeptRequest: kept, Duration: legible.Spaced(kept.Duration()), Trace: r.link.traces.Of(kept.TraceID),
		RequestSize: legible.Bytes(int64(kept.RequestBytes)), ResponseSize: legible.Bytes(int64(kept.ResponseBytes)),
		Steps: len(chart.Bars), Open: kept.Early == "reply" && kept.Rest == nil,
	}
	if kept.Stream != nil {
		v.UntilFirst = legible.Spaced(kept.Stream.UntilFirst())
	}
	if kept.Rest != nil {
		v.RestDuration = legible.Spaced(kept.Rest.Duration())
	}
	if v.Chart, err = draw.Table(chart); err != nil {
		return nil, err
	}
	if kept.Inspected {
		v.addMessages()
	}
	return v, nil
}

// addMessages adds the messages, as far as they can be shown.
func (v *requestView) addMessages() {
	room := maxMessages
	for _, m := range v.KeptRequest.Messages() {
		shown := newMessageView(m, min(room, maxMessage))
		room -= len(shown.Text)
		v.Redacted = v.Redacted || m.Payload != nil && m.SameAs == "" && m.Payload.Redacted()
		v.Messages = append(v.Messages, shown)
	}
}

// newMessageView makes a message fit for a page, with at most most bytes of its text.
func newMessageView(m inspection.Message, most int) messageView {
	v := messageView{Message: m}
	p := m.Payload
	if p == nil {
		return v
	}
	v.Size = legible.Bytes(int64(p.Size))
	if m.SameAs != "" {
		return v
	}
	v.Note = strings.TrimSuffix(legible.Line(p.Note, maxMessage), ".")
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
