package render

import (
	"slices"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/entrypoint/program"
)

// streams reports whether any workflow returns a stream.
func (in Input) streams() bool {
	return slices.ContainsFunc(in.Version.Spec.Workflows, func(w v1alpha1.Workflow) bool { return in.Streams[w.Name] })
}

// stepOfStream reports whether a node is a step of a workflow that returns a stream.
func (in Input) stepOfStream(node string) bool {
	return slices.ContainsFunc(in.Version.Spec.Workflows, func(w v1alpha1.Workflow) bool {
		return in.Streams[w.Name] && slices.Contains(w.Sequential, node)
	})
}

// streamLimits sets the limits of streams where they are not the entrypoint's own: an entrypoint
// of an older kn-krt refuses fields that it does not know.
func (in Input) streamLimits(c *program.Config) {
	s, usual := in.Settings, DefaultSettings()
	if !in.streams() {
		return
	}
	if s.StreamTimeout != usual.StreamTimeout {
		c.StreamTimeout = s.StreamTimeout.String()
	}
	if s.StreamIdle != usual.StreamIdle {
		c.StreamIdle = s.StreamIdle.String()
	}
	if s.StreamMessages != usual.StreamMessages {
		c.StreamMessages = s.StreamMessages
	}
}
