package entrypoint

import (
	"fmt"

	"krt.dev/kn-krt/pkg/entrypoint/delivery"
	"krt.dev/kn-krt/pkg/entrypoint/failure"
	"krt.dev/kn-krt/pkg/entrypoint/memory"
	"krt.dev/kn-krt/pkg/runner/clip"
	"krt.dev/kn-krt/pkg/runner/dict"
	"krt.dev/kn-krt/pkg/runner/event"
)

// read turns the event that a node responded with into the client's response. It
// takes over p's data.
func (r *request) read(p *delivery.Parcel) response {
	if p.Event.Type == event.TypeError {
		defer p.Data.Free()
		return response{failure: r.owner().Read(p.Event.Source, p.Data.ReadOnlyData())}
	}
	if p.Event.Message == r.route.want {
		return response{data: p.Data}
	}
	defer p.Data.Free()
	if dict.Is(p.Event.Message) {
		return r.readDict(p)
	}
	got := p.Event.Message
	if got == "" {
		got = "data of no declared type (dataschema is missing)"
	}
	return r.wrongOutput(p, fmt.Sprintf("expected %s as the response of rpc %s, got %s", r.route.want, r.route.path[1:], clip.Text(got, 200)))
}

// readDict makes the rpc's output of the dict that a node of runner 1.22 or older
// returns: here, where the rpc is known, for both deliveries and all languages.
func (r *request) readDict(p *delivery.Parcel) response {
	data, err := dict.Message(r.route.output, p.Event.Message, p.Data.ReadOnlyData())
	if err != nil {
		return r.wrongOutput(p, fmt.Sprintf("the returned value is not the response of rpc %s: %v", r.route.path[1:], err))
	}
	counted, err := r.entry.buffers.CopyResponse(data)
	if err != nil {
		return response{failure: memory.Refusal(err)}
	}
	return response{data: counted}
}

// wrongOutput is the failure of a node whose response is not the rpc's output.
func (r *request) wrongOutput(p *delivery.Parcel, text string) response {
	node := failure.NodeOf(p.Event.Source)
	r.warn("wrong output", "node", node, "error", text)
	return response{failure: r.owner().WrongOutput(node, text)}
}

// nodeFailure is what the client gets for err, why what a node has sent with ev is of no use.
func (r *request) nodeFailure(ev *event.Event, err error) response {
	f := delivery.NodeFailure(failure.NodeOf(ev.Source), err)
	f.Workflow, f.Version = r.route.Name, r.table.version.Name
	return response{failure: f.Status()}
}

// owner is whose failures those of r are.
func (r *request) owner() failure.Of {
	return failure.Of{Version: r.table.version.Name, Workflow: r.route.Name}
}

func eventSource(v Version) string { return event.Source(v.Namespace, v.Name, "entrypoint") }
