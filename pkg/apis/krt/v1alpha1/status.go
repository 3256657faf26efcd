package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// Phase is where a version stands in its life.
type Phase string

// The phases of a version.
const (
	PhaseStopped    Phase = "Stopped"
	PhaseStarting   Phase = "Starting"
	PhaseStarted    Phase = "Started"
	PhasePublishing Phase = "Publishing"
	PhasePublished  Phase = "Published"
	PhaseStopping   Phase = "Stopping"
)

// VersionStatus is what became of a version.
type VersionStatus struct {
	// Phase is where the version stands in its life.
	// +kubebuilder:validation:Enum=Stopped;Starting;Started;Publishing;Published;Stopping
	// +optional
	Phase Phase `json:"phase,omitempty"`
	// ObservedGeneration is the generation of the spec that the status speaks of.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// Conditions are Ready, which sums up ConfigReady, NodesReady, WorkflowsReady and
	// EntrypointReady, then Published, Current while the version runs, and StopRefused and
	// DeleteRefused while they hold.
	// +listType=map
	// +listMapKey=type
	// +optional
	Conditions []metav1.Condition `json:"conditions,omitempty"`
	// Address makes a version addressable: a sink for Triggers, sources and kn.
	// +optional
	Address *Address `json:"address,omitempty"`
	// Nodes are in the order of the spec.
	// +listType=map
	// +listMapKey=name
	// +optional
	Nodes []NodeStatus `json:"nodes,omitempty"`
	// Workflows are in the order of the spec.
	// +listType=map
	// +listMapKey=name
	// +optional
	Workflows []WorkflowStatus `json:"workflows,omitempty"`
	// StartedWith is what the version was started with, beside its content; empty while it is stopped.
	// +optional
	StartedWith *StartedWith `json:"startedWith,omitempty"`
	// History holds the last 20 changes of the wanted state, the newest last.
	// +kubebuilder:validation:MaxItems=20
	// +listType=atomic
	// +optional
	History []VersionEvent `json:"history,omitempty"`
}

// StartedWith is what the objects of a version are made of beside its content. It
// is the cluster's as of the start or the last restart, so that neither a changed
// setting nor another kn-krt changes what runs.
type StartedWith struct {
	// Settings are those of config-krt that versions are made of, with the defaults of
	// that time. Those that hold at once are the newest.
	// +kubebuilder:validation:MaxProperties=64
	// +optional
	Settings map[string]string `json:"settings,omitempty"`
	// EntrypointImage is the image of the entrypoint.
	// +optional
	EntrypointImage string `json:"entrypointImage,omitempty"`
	// Sequences ends the names of the version's Sequences; empty unless others were made beside those it had.
	// +optional
	Sequences string `json:"sequences,omitempty"`
	// Restart is spec.restart as of that time.
	// +optional
	Restart string `json:"restart,omitempty"`
	// FormerUntil is until when the Sequences that it had before a restart are kept: work that was
	// begun goes on in them behind its answer. Empty unless others were made beside those it had.
	// +optional
	FormerUntil *metav1.Time `json:"formerUntil,omitempty"`
}

// Address is where a version takes events (Knative's Addressable).
type Address struct {
	// URL is absolute, and leads to the version's own Service.
	// +optional
	URL string `json:"url,omitempty"`
}

// NodeStatus is the state of one node.
type NodeStatus struct {
	// Name is the node's.
	Name string `json:"name"`
	// Ready is whether the node can answer; one that is scaled to zero can.
	Ready bool `json:"ready"`
	// Reason tells in one word why a node is not ready.
	// +optional
	Reason string `json:"reason,omitempty"`
	// Message tells why a node is not ready, and what to do next.
	// +optional
	Message string `json:"message,omitempty"`
	// Revision is the Knative Revision that is meant.
	// +optional
	Revision string `json:"revision,omitempty"`
	// Image is the image with the digest that runs.
	// +optional
	Image string `json:"image,omitempty"`
}

// WorkflowStatus is the state of one workflow.
type WorkflowStatus struct {
	// Name is the workflow's.
	Name string `json:"name"`
	// Ready is whether requests can pass the workflow.
	Ready bool `json:"ready"`
	// Reason tells in one word why a workflow is not ready.
	// +optional
	Reason string `json:"reason,omitempty"`
	// Message tells why a workflow is not ready, and what to do next.
	// +optional
	Message string `json:"message,omitempty"`
	// Address is where the workflow's Sequence takes events; empty with direct delivery.
	// +optional
	Address string `json:"address,omitempty"`
}

// VersionEvent is one change in the life of a version: a wanted state, or a restart.
type VersionEvent struct {
	// Time is when the change was seen.
	Time metav1.Time `json:"time"`
	// State is what the version was asked for.
	State State `json:"state"`
	// Restart is the spec's at that time.
	// +optional
	Restart string `json:"restart,omitempty"`
	// Comment is the spec's at that time.
	// +optional
	Comment string `json:"comment,omitempty"`
}
