package entrypoint

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"krt.dev/kn-krt/pkg/entrypoint/mail"
	"krt.dev/kn-krt/pkg/entrypoint/record"
	"krt.dev/kn-krt/pkg/entrypoint/seal"
	"krt.dev/kn-krt/pkg/entrypoint/web"
	"krt.dev/kn-krt/pkg/letter"
	"krt.dev/kn-krt/pkg/runner/clip"
)

// serveResult responds with the result of an asynchronous request.
func (e *Entrypoint) serveResult(t *table, w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	name := r.PathValue("name")
	route := t.byName[name]
	if route == nil {
		mail.NoResult(w, fmt.Sprintf("version %q has no workflow %q; it has %s", t.version.Name, clip.Text(name, 64), t.workflows()))
		return
	}
	if refusal := e.mayCall(r.Context(), route); refusal != nil {
		web.WriteFailure(w, refusal)
		return
	}
	mail.Results{
		Box: e.options.Mail, Version: t.version.Name, Workflow: name, Source: t.source, Output: route.output,
		Retention: t.version.Results, JSON: t.json, Budget: e.budget,
		Waiting: func(id seal.ID) bool {
			waiting := e.pending.Get(id)
			return waiting != nil && waiting.async && waiting.route.Name == name
		},
	}.Serve(w, r, r.PathValue("id"))
}

// replayer is a queue that can replay dead letters. An error that is no [mail.Refusal] is of the letter.
type replayer interface {
	Replay(ctx context.Context, l letter.Letter) error
}

// newReplay returns the route by which dead letters of r are replayed: the entrypoint calls the nodes
// itself, whatever the delivery is. It is nil where it does not know their addresses.
func (e *Entrypoint) newReplay(r *route) *route {
	if r.stream {
		return nil
	}
	for _, step := range r.Steps {
		if step.URL == "" {
			return nil
		}
	}
	direct, replay := *r.Workflow, *r
	direct.Address = ""
	replay.Workflow, replay.queued = &direct, false
	var err error
	if replay.delivery, err = e.sender.Direct(r.Steps); err != nil {
		return nil
	}
	return &replay
}

// serveReplay replays a dead letter, on the inspection port: its event goes to the step that has failed
// again, as work that no client waits for. It responds when the work has begun.
func (e *Entrypoint) serveReplay(t *table, w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("correlation") + "/" + r.PathValue("step")
	if refusal := e.replay(r.Context(), t, id); refusal != nil {
		refusal.Write(w, id)
		return
	}
	w.WriteHeader(http.StatusAccepted)
}

// replay begins to replay the dead letter of an id, or returns why it does not.
func (e *Entrypoint) replay(ctx context.Context, t *table, id string) *mail.Refusal {
	x, refusal := e.options.Mail.Claim(ctx, t.version.Name, id)
	if refusal != nil {
		return refusal
	}
	route := t.byName[x.Letter.Workflow]
	if queue, ok := e.options.Queue.(replayer); ok && route != nil && route.queued {
		defer x.Release()
		return mail.RefusalOf(queue.Replay(ctx, *x.Letter))
	}
	if refusal = e.begin(t, route, x); refusal != nil {
		x.Release()
	}
	return refusal
}

// begin begins the request that replays a dead letter of r, or returns why it does not.
func (e *Entrypoint) begin(t *table, r *route, x *mail.Replayed) *mail.Refusal {
	if r == nil {
		text := fmt.Sprintf("%v: there is no workflow %q any more", mail.ErrOther, x.Letter.Workflow)
		return &mail.Refusal{Status: http.StatusConflict, Text: text}
	}
	if r = r.replay; r == nil {
		return &mail.Refusal{Status: http.StatusConflict, Text: "the entrypoint does not know the addresses of the nodes: restart the version"}
	}
	if refusal := x.Begin(t.origin(r)); refusal != nil {
		return refusal
	}
	if e.pending.Get(x.ID) != nil {
		return &mail.Refusal{Status: http.StatusConflict, Text: "the request is in work"}
	}
	k, overload := e.admit(t, r, record.CloudEvent)
	if overload != nil {
		return &mail.Refusal{Status: http.StatusServiceUnavailable, Text: overload.GetMessage()}
	}
	data, err := e.buffers.CopyRequest(x.Letter.Data)
	if err != nil {
		k.release()
		return &mail.Refusal{Status: http.StatusServiceUnavailable, Text: err.Error()}
	}
	q := k.start(context.Background(), received{data: data, causationID: x.Event.CausationID, replayed: x},
		time.Now().Add(t.version.BackgroundTimeout), true)
	q.From = x.Letter.Step
	go q.deliver()
	go q.attend(context.Background())
	return nil
}
