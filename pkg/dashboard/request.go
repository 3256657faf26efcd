package dashboard

import (
	"html/template"

	"krt.dev/kn-krt/pkg/dashboard/message"
	"krt.dev/kn-krt/pkg/dashboard/source"
	"krt.dev/kn-krt/pkg/dashboard/waterfall"
	"krt.dev/kn-krt/pkg/legible"
)

// maxMessages is how much is shown of all messages of one request, in bytes of JSON.
const maxMessages = 1 << 20

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
	Messages []message.View
	Redacted bool
	// RestDuration is the time until the work behind an early reply had ended; Open says that it
	// has not, as far as is known.
	RestDuration string
	Open         bool
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
		Ref: r.ref, KeptRequest: kept, Duration: legible.Spaced(kept.Duration()), Trace: r.link.Traces.Of(kept.TraceID),
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
		shown := message.New(m, min(room, message.Most), "kn krt requests with the request's id")
		room -= len(shown.Text)
		v.Redacted = v.Redacted || m.Payload != nil && m.SameAs == "" && m.Payload.Redacted()
		v.Messages = append(v.Messages, shown)
	}
}
