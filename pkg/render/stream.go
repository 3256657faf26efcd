package render

import (
	"slices"

	"krt.dev/kn-krt/pkg/entrypoint/program"
)

// streams reports whether any workflow returns a stream.
func (in Input) streams() bool {
	for _, w := range in.Version.Spec.Workflows {
		if in.Streams[w.Name] {
			return true
		}
	}
	return false
}

// stepOfStream reports whether a node is a step of a workflow that returns a stream.
func (in Input) stepOfStream(node string) bool {
	for _, w := range in.Version.Spec.Workflows {
		if in.Streams[w.Name] && slices.Contains(w.Sequential, node) {
			return true
		}
	}
	return false
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
