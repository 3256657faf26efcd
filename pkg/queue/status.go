package queue

import "time"

// Status is what a version's stream holds.
type Status struct {
	// Stream is its name.
	Stream string `json:"stream"`
	// Events wait or are in work, and with what is known of them take Bytes; MaxBytes is the most that
	// new requests may take.
	Events   int64 `json:"events"`
	Bytes    int64 `json:"bytes"`
	MaxBytes int64 `json:"maxBytes"`
	// Replicas is on how many servers it is.
	Replicas int `json:"replicas"`
	// Steps are those that the stream has consumers of, by workflow and index.
	Steps []StepStatus `json:"steps"`
}

// StepStatus is what waits for a step.
type StepStatus struct {
	Workflow string `json:"workflow"`
	Index    int    `json:"index"`
	Node     string `json:"node"`
	// Waiting events have not been given to a replica; those in Work have, and are not done,
	// or wait to be tried again. Redelivered ones in Work have been given to one before.
	Waiting     int64 `json:"waiting"`
	Work        int64 `json:"work"`
	Redelivered int64 `json:"redelivered"`
	// Oldest is when the oldest of them was published; zero if there is none.
	Oldest time.Time `json:"oldest,omitzero"`
	// Dead is how many dead letters of the step the store has, as far as who reports has counted them.
	Dead int64 `json:"dead"`
	// Former says that the version does not have the step any more: nothing fetches its events.
	Former bool `json:"former,omitempty"`
}

// Step is the step that it is of.
func (s StepStatus) Step() Step { return Step{Workflow: s.Workflow, Index: s.Index, Node: s.Node} }

// Events is how many events the step has left.
func (s StepStatus) Events() int64 { return s.Waiting + s.Work }
