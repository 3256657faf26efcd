package entrypoint

import (
	"cmp"
	"context"
	"maps"
	"net/http"
	"net/url"
	"time"

	"google.golang.org/grpc/metadata"

	"krt.dev/kn-krt/pkg/entrypoint/capture"
	"krt.dev/kn-krt/pkg/entrypoint/delivery"
	"krt.dev/kn-krt/pkg/entrypoint/mail"
	"krt.dev/kn-krt/pkg/entrypoint/metrics"
	"krt.dev/kn-krt/pkg/entrypoint/web"
	"krt.dev/kn-krt/pkg/runner/event"
)

const (
	// inspectMetadata is the gRPC metadata, and the HTTP header, by which a client asks for
	// its request to be inspected.
	inspectMetadata = "krt-inspect"
	// headerCorrelation has the id of a request in its response; in gRPC it is a trailer of
	// requests that failed or are inspected, and for a client that asks for that a header too,
	// which is sent at once.
	headerCorrelation = "Krt-Correlation-Id"
	// copyTime is how long a copy may take to be forwarded.
	copyTime = 2 * time.Second
)

// asked reports whether the client of a gRPC call asks for inspection.
func asked(ctx context.Context) bool {
	values := metadata.ValueFromIncomingContext(ctx, inspectMetadata)
	return len(values) == 1 && values[0] == capture.Asked
}

// askedBy is asked for a request over HTTP.
func askedBy(h http.Header) bool { return h.Get(inspectMetadata) == capture.Asked }

// inspect keeps the messages of r from now on if it is to be inspected, as the version's
// contract says. With direct delivery they pass through the entrypoint. A Sequence does not bring
// them back, so the event asks each node for a copy.
func (r *request) inspect(asked bool) {
	contract := r.table.contract
	if !contract.Wants(asked) {
		return
	}
	first := r.First.Event
	r.kept = r.entry.capture.Begin(contract, first.CorrelationID, r.route.nodes)
	r.kept.Input(first.Message, r.First.Data.ReadOnlyData())
	if r.route.elsewhere() {
		first.Inspect = contract.Bound()
		return
	}
	r.Passed = func(step int, p *delivery.Parcel) { r.kept.Step(step, p.Event.Message, p.Data.ReadOnlyData(), 0) }
}

// receiveCopy receives a copy of what a node responded with in a Sequence. It ends no
// request, and nothing depends on it: whatever comes of it, the response is 202.
func (e *Entrypoint) receiveCopy(w http.ResponseWriter, r *http.Request) {
	defer w.WriteHeader(http.StatusAccepted) // when the body has been read
	ev, size, err := event.ReadCopy(r.Header)
	if err != nil {
		return
	}
	// The token of work behind a reply has expired. It is still the request's own.
	token, reason, err := e.authorize(ev)
	if reason == metrics.DropForged || reason == metrics.DropNoToken {
		if e.mayLog(time.Now()) {
			e.log.Warn("dropped a copy of a message", "reason", reason, "error", err)
		}
		return
	}
	kept := e.capture.Find(ev.CorrelationID)
	switch {
	case token.ID.String() != ev.CorrelationID:
	case kept != nil:
		e.keepCopy(r, kept, ev, size)
	case e.elsewhere(r, token):
		e.forwardCopy(r, token.Address)
	}
}

// keepCopy keeps a copy as what the last of its steps responded with, if that is one of the
// workflow's.
func (e *Entrypoint) keepCopy(r *http.Request, kept *capture.Request, ev *event.Event, size int) {
	last, ok := ev.Steps.Last()
	step := kept.Node(last.Node)
	if !ok || step < 0 || ev.Type != event.TypeMessage {
		return
	}
	data, err := e.buffers.Read(r.Body, r.ContentLength, int64(kept.Contract().Bound()))
	if err != nil {
		return
	}
	defer data.Free()
	kept.Step(step, ev.Message, data.ReadOnlyData(), size)
}

// forwardCopy sends a copy to the replica that keeps the request.
func (e *Entrypoint) forwardCopy(r *http.Request, address string) {
	ctx, cancel := context.WithTimeout(r.Context(), copyTime)
	defer cancel()
	data, err := e.buffers.Read(r.Body, r.ContentLength, event.MostInspected)
	if err != nil {
		return
	}
	defer data.Free()
	to := &url.URL{Scheme: "http", Host: address, Path: r.URL.Path}
	_ = e.sender.Forward(ctx, to, delivery.Forwarded(r.Header), data)
}

// newInspectionServer serves the requests that are kept, to this machine only.
func (e *Entrypoint) newInspectionServer(l Listeners) *http.Server {
	letters := mail.Desk{Box: e.options.Mail, Version: func() mail.Served {
		t := e.table.Load()
		return mail.Served{Name: t.version.Name, Contract: cmp.Or(t.contract, t.compared), Results: t.version.Results > 0}
	}}.Handlers()
	letters["POST /letters/dead/{correlation}/{step}/replay"] = e.keeping(e.serveReplay)
	maps.Copy(letters, e.options.Inspection)
	s := e.capture.Server(e.leaving, letters)
	s.Handler = web.GuardHost(s.Handler, l.Inspection.Addr())
	return s
}
