package call

import (
	"encoding/hex"
	"time"

	"krt.dev/kn-krt/pkg/runner/event"
)

// Step is what a node's runner reported of a request, as -o json prints it; durations are
// in seconds.
type Step struct {
	Node    string    `json:"node"`
	Start   time.Time `json:"start"`
	Wait    float64   `json:"wait"`
	Run     float64   `json:"run"`
	Outcome string    `json:"outcome"`
	Cold    bool      `json:"cold,omitempty"`
	SpanID  string    `json:"spanId"`
}

// Steps returns the steps for -o json.
func Steps(steps []event.Step) []Step {
	out := make([]Step, len(steps))
	for i, s := range steps {
		out[i] = Step{
			Node: s.Node, Start: s.Start.UTC(), Wait: s.Wait.Seconds(), Run: s.Run.Seconds(),
			Outcome: s.Outcome.String(), Cold: s.Cold, SpanID: hex.EncodeToString(s.SpanID[:]),
		}
	}
	return out
}
