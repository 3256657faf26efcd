// Package word has the words of pages for states and times.
package word

import (
	"strings"
	"time"

	"krt.dev/kn-krt/pkg/dashboard/source"
)

// Length is a length of time as one writes it: "1h30m", and not "1h30m0s".
func Length(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// Outcome is how a request went, as a state.
func Outcome(failed bool) source.State {
	if failed {
		return source.Failed
	}
	return source.Ready
}

// State is a state for people.
func State(s source.State) string {
	switch s {
	case source.Ready:
		return "Ready"
	case source.Asleep:
		return "Asleep"
	case source.Starting:
		return "Starting"
	case source.Failed:
		return "Failed"
	case source.Stopping:
		return "Stopping"
	case source.Stopped:
		return "Stopped"
	}
	return "Unknown"
}
