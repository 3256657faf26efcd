package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// CanaryPhase is where a canary stands.
type CanaryPhase string

// The phases of a canary.
const (
	// CanaryWaiting means that it gets no requests yet: it is not ready, or nothing is published.
	CanaryWaiting CanaryPhase = "Waiting"
	// CanaryRefused means that it gets none: it does not serve the published contract.
	CanaryRefused CanaryPhase = "Refused"
	// CanaryServing means that it gets its share, or copies, and no plan changes that.
	CanaryServing CanaryPhase = "Serving"
	// CanaryProgressing means that its plan walks.
	CanaryProgressing CanaryPhase = "Progressing"
	// CanaryPaused means that the plan keeps the weight until a person decides.
	CanaryPaused CanaryPhase = "Paused"
	// CanaryPromoting means that the plan has succeeded: the canary becomes the published version.
	CanaryPromoting CanaryPhase = "Promoting"
	// CanaryRolledBack means that a limit was exceeded: the canary gets no requests any more.
	CanaryRolledBack CanaryPhase = "RolledBack"
)

// CanaryStatus is the observed state of a canary.
type CanaryStatus struct {
	// Version is its name.
	Version string `json:"version"`
	// Of identifies the spec.canary that this is about: when that changes, a plan begins anew.
	// +optional
	Of string `json:"of,omitempty"`
	// Phase is where it stands.
	// +kubebuilder:validation:Enum=Waiting;Refused;Serving;Progressing;Paused;Promoting;RolledBack
	Phase CanaryPhase `json:"phase"`
	// Weight and Mirror are the percentages in force.
	Weight int32 `json:"weight"`
	// +optional
	Mirror int32 `json:"mirror,omitempty"`
	// Receiving is whether the canary may get requests or copies. It stays true until the entrypoints of
	// the published version have had the time to apply that it gets none: a canary that is stopped drains
	// after that.
	// +optional
	Receiving bool `json:"receiving,omitempty"`
	// Step is the plan's present step, from 1.
	// +optional
	Step int32 `json:"step,omitempty"`
	// Resume is spec.canary.resume when the present phase began.
	// +optional
	Resume string `json:"resume,omitempty"`
	// Since is when the step, or without a plan the canary, began.
	// +optional
	Since *metav1.Time `json:"since,omitempty"`
	// Reason is a word for programs, Message a sentence for people: what the canary waits for, or
	// the verdict with its numbers.
	// +optional
	Reason string `json:"reason,omitempty"`
	// +optional
	Message string `json:"message,omitempty"`
	// Samples are the requests of each side since the step began.
	// +optional
	Samples CanarySamples `json:"samples,omitzero"`
	// Values are what is judged, in the order of the plan's limits.
	// +kubebuilder:validation:MaxItems=16
	// +listType=map
	// +listMapKey=name
	// +optional
	Values []CanaryValue `json:"values,omitempty"`
}

// CanarySamples counts the requests of both sides.
type CanarySamples struct {
	// +optional
	Published int64 `json:"published,omitempty"`
	// +optional
	Canary int64 `json:"canary,omitempty"`
	// Fallbacks counts the requests that the published version served because the canary could not.
	// +optional
	Fallbacks int64 `json:"fallbacks,omitempty"`
	// Mirrored counts the copies whose responses were compared; Equal those that agreed.
	// +optional
	Mirrored int64 `json:"mirrored,omitempty"`
	// +optional
	Equal int64 `json:"equal,omitempty"`
}

// CanaryValue is a value of both sides, as text with its unit.
type CanaryValue struct {
	// Name is errorRatio, p95, accuracy, agreement or the name of a query.
	Name string `json:"name"`
	// +optional
	Published string `json:"published,omitempty"`
	// +optional
	Canary string `json:"canary,omitempty"`
	// Limit is what the canary's value may be at most, or at least.
	// +optional
	Limit string `json:"limit,omitempty"`
	// Verdict is Good, Bad or Waiting.
	// +kubebuilder:validation:Enum=Good;Bad;Waiting
	// +optional
	Verdict string `json:"verdict,omitempty"`
}

// The verdicts about a value.
const (
	VerdictGood    = "Good"
	VerdictBad     = "Bad"
	VerdictWaiting = "Waiting"
)
