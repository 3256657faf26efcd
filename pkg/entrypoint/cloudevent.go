package entrypoint

import (
	"net/http"

	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/grpc/mem"

	"krt.dev/kn-krt/pkg/entrypoint/record"
	"krt.dev/kn-krt/pkg/entrypoint/traffic"
	"krt.dev/kn-krt/pkg/entrypoint/web"
	"krt.dev/kn-krt/pkg/runner/clip"
	"krt.dev/kn-krt/pkg/runner/event"
)

// serveEvent responds to a producer's CloudEvent, binary or structured, with protobuf or JSON data, by a
// CloudEvent in the same form; or by 202 as soon as the event has been sent when the producer prefers that (RFC
// 7240, respond-async). The path may name the workflow; then it is the path of a streaming rpc, too, of which
// producers of events have no use.
func (e *Entrypoint) serveEvent(t *table, w http.ResponseWriter, r *http.Request) {
	workflow := r.PathValue("name")
	if named := t.byName[workflow]; named != nil && named.stream && !web.IsEvent(r.Header) && !web.PrefersAsync(r.Header) {
		r.URL.Path = named.path
		t.rpc.ServeHTTP(w, r)
		return
	}
	k, overload := e.admit(t, t.byName[workflow], record.CloudEvent)
	if overload != nil {
		web.LeaveUnread(w, r.ContentLength)
		web.WriteFailure(w, overload)
		return
	}
	read := false
	defer k.releaseUnless(&read)
	in, request, ok := k.readEvent(w, r, workflow)
	if read = true; !ok {
		return
	}
	ctx := event.ContextWithTrace(r.Context(), in.Trace().Via(event.RequestTrace(r.Header)))
	request.inspect, request.divided = askedBy(r.Header), traffic.From(r.Context())
	if web.PrefersAsync(r.Header) {
		id, failure := k.accept(ctx, request)
		traffic.Begun(w, code.Code(failure.GetCode()))
		request.divided.Served(code.Code(failure.GetCode()))
		if failure != nil {
			web.WriteUnaccepted(w, failure)
			return
		}
		w.Header().Set("Preference-Applied", "respond-async")
		w.Header().Set(headerCorrelation, id) // what logs call the work
		w.WriteHeader(http.StatusAccepted)
		return
	}
	req, response := k.call(ctx, request)
	defer req.observe()
	traffic.Begun(w, code.Code(response.failure.GetCode()))
	w.Header().Set(headerCorrelation, req.First.Event.CorrelationID)
	w.Header().Set(headerTiming, req.timing())
	if response.failure != nil {
		web.WriteFailure(w, response.failure)
		return
	}
	out := web.BeginResponse(r.Context(), w, response.data)
	if out == nil {
		return // the connection is closed
	}
	defer out.Free()
	in.Respond(w, t.json, t.source, k.route.output, out.ReadOnlyData())
}

// readEvent reads a producer's event, sets the ticket's route, and returns the event and the request it makes.
// It reports false when it has refused it, and given the ticket back.
func (k *ticket) readEvent(w http.ResponseWriter, r *http.Request, workflow string) (*web.Event, received, bool) {
	turn := k.entry.decoding.Turn()
	defer turn.Leave()
	var in *web.Event
	var data mem.Buffer
	var refusal *web.EventError
	if refusal = k.unfit(r.Header, workflow); refusal != nil {
		web.LeaveUnread(w, r.ContentLength)
	} else if in, refusal = k.entry.decoding.ReadEvent(w, r, &turn); refusal == nil {
		if k.route, refusal = k.table.choose(in, workflow); refusal == nil {
			data, refusal = k.decode(in)
		}
	}
	if refusal != nil {
		kept := refusal
		if k.table.contract.Redacts() {
			kept = refusal.Unquoted()
		}
		k.refuse(kept.Failure())
		k.entry.logRefusal(in, kept)
		refusal.Write(w)
		return nil, received{}, false
	}
	return in, received{data: data, causationID: clip.Text(in.ID(), 256)}, true
}

// unfit refuses what is not read, because its header and its path say already that it is not an event for a workflow.
func (k *ticket) unfit(h http.Header, workflow string) *web.EventError {
	switch r := k.route; {
	case r == nil && workflow != "":
		return web.NoWorkflow(k.table.version.Name, workflow, k.table.workflows())
	case r != nil && r.stream:
		return web.NotForEvents(r.Name, r.path)
	case r != nil && !web.IsEvent(h):
		return web.NotAnEvent(r.Name, r.path)
	}
	return nil
}

// logRefusal logs that a producer's event was refused: nobody reads the response sent to a source or a channel.
func (e *Entrypoint) logRefusal(in *web.Event, refusal *web.EventError) {
	if in != nil {
		e.log.Warn("refused an event", "type", clip.Text(in.Type(), 128), "source", clip.Text(in.Source(), 128), "error", refusal.Text)
	}
}

// choose finds what a producer's event asks for: the path, else the extension krtworkflow, else the type, else
// the only workflow there is.
func (t *table) choose(in *web.Event, workflow string) (*route, *web.EventError) {
	if workflow == "" {
		workflow = in.Attribute("krtworkflow")
	}
	if workflow != "" {
		if r := t.byName[workflow]; r != nil {
			return r, nil
		}
		return nil, web.NoWorkflow(t.version.Name, workflow, t.workflows())
	}
	if r := t.find(in.Type()); r != nil {
		return r, nil
	}
	if len(t.byName) == 1 {
		for _, r := range t.byName {
			return r, nil
		}
	}
	return nil, web.NoSuchType(t.version.Name, in.Type(), t.workflows())
}

// decode returns the event's data as the bytes of the rpc's input message.
func (k *ticket) decode(in *web.Event) (mem.Buffer, *web.EventError) {
	if k.route.stream {
		return nil, web.NotForEvents(k.route.Name, k.route.path)
	}
	data, refusal := in.Message(k.table.json, k.entry.options.MaxMessageBytes, k.route.input)
	if refusal != nil {
		return nil, refusal
	}
	kept, err := k.entry.buffers.CopyRequest(data)
	if err != nil {
		return nil, web.BodyRefusal(err)
	}
	return kept, nil
}
