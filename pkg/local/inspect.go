package local

import (
	"krt.dev/kn-krt/pkg/entrypoint"
	"krt.dev/kn-krt/pkg/entrypoint/capture"
	"krt.dev/kn-krt/pkg/krt"
	"krt.dev/kn-krt/pkg/local/running"
)

// inspect is what the entrypoint keeps of messages: those of every request, because on this
// machine they are the user's own; nothing if they cannot be read. How much, and which values
// never, is as on a cluster.
func (r *run) inspect(b *krt.Bundle) *capture.Settings {
	if r.o.Ports.Inspection < 0 {
		return nil
	}
	s := &capture.Settings{Share: 100}
	if b.Messages != nil {
		s.Messages = b.Messages.Registry()
	}
	if own := b.Manifest.Entrypoint.Inspect; own != nil {
		s.PayloadBytes, s.Redact = own.PayloadBytes, own.Redact
	}
	return s
}

// ready reports how to call the version.
func (r *run) ready(l entrypoint.Listeners) {
	serving := r.describe(r.bundle, l)
	serving.Traces = r.traces
	r.o.Reporter.Event(Event{Type: EventReady, Serving: serving})
}

// announce writes for other commands where the version is: those that come while it starts wait at its
// ports, which are open, until it is ready.
func (r *run) announce(serving *Serving) {
	where := running.Run{Version: serving.Version, Path: r.source.path, GRPC: serving.GRPC, Web: serving.Web,
		Inspection: serving.Inspection, Store: serving.Store}
	if err := running.Write(r.state.dir, where); err != nil {
		r.o.Reporter.Event(Event{Type: EventWarning, Text: err.Error() + "; other commands find it by --address only"})
	}
}
