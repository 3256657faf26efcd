package v1alpha1

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Version is one KRT V1 version: an entrypoint, nodes and workflows.
//
// +kubebuilder:object:root=true
type Version struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec   VersionSpec   `json:"spec"`
	Status VersionStatus `json:"status,omitempty"`
}

// VersionList is a list of versions.
//
// +kubebuilder:object:root=true
type VersionList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	Items []Version `json:"items"`
}

// VersionSpec is what a manifest says, the protos' text, and the wanted state.
// All but State and Comment is content, which does not change while State is
// Started (KRT V1, lifecycle).
type VersionSpec struct {
	// State is whether the version should run.
	State State `json:"state,omitempty"`
	// Comment says why State is what it is; it is kept in status.history.
	Comment string `json:"comment,omitempty"`
	// Description is the manifest's.
	Description string `json:"description,omitempty"`
	// Entrypoint is what callers may call.
	Entrypoint Entrypoint `json:"entrypoint"`
	// Config names what must have a value, in the Secret <version>-config, before the version starts.
	Config Config `json:"config,omitempty"`
	// Nodes are the programs of the version.
	Nodes []Node `json:"nodes"`
	// Workflows tie rpcs of the entrypoint to nodes in order.
	Workflows []Workflow `json:"workflows"`
}

// State is the wanted state of a version.
type State string

// The states a version can be asked for.
const (
	StateStopped State = "Stopped"
	StateStarted State = "Started"
)

// Delivery is how events travel from node to node.
type Delivery string

// The deliveries.
const (
	// DeliverySequence sends events through a Knative Sequence.
	DeliverySequence Delivery = "Sequence"
	// DeliveryDirect has the entrypoint call each node itself.
	DeliveryDirect Delivery = "Direct"
)

// Entrypoint says what callers may call and how their requests travel.
type Entrypoint struct {
	// Proto is the path, in Files, of the public proto.
	Proto string `json:"proto"`
	// Files are the public proto and all it imports, but for Google's well-known types.
	Files []ProtoFile `json:"files"`
	// Timeout is how long a caller waits at most; a caller's own shorter deadline wins.
	// Empty: the cluster's default (config-krt), 30s unless set. At most 590s.
	Timeout *metav1.Duration `json:"timeout,omitempty"`
	// Delivery is Sequence unless set.
	Delivery Delivery `json:"delivery,omitempty"`
	// Replicas is the number of entrypoint pods; empty: the cluster's default, 1 unless set.
	Replicas *int32 `json:"replicas,omitempty"`
}

// ProtoFile is the text of a proto at its path.
type ProtoFile struct {
	// Path is relative to the bundle's root.
	Path string `json:"path"`
	// Content is the file's text.
	Content string `json:"content"`
}

// Config names the values a version needs.
type Config struct {
	// Variables are names of environment variables.
	Variables []string `json:"variables,omitempty"`
	// Files are names of variables that hold the path of a file.
	Files []string `json:"files,omitempty"`
}

// Node is user code in an image.
type Node struct {
	Name string `json:"name"`
	// Image holds the runner and the node's code; ko:// and a Go import path where ko applies the object.
	Image string `json:"image"`
	// Src is the path of the code from the bundle's root, where the image's runner must be told (KRT_HANDLER_PATH).
	Src string `json:"src,omitempty"`
	// GPU asks for one GPU.
	GPU bool `json:"gpu,omitempty"`
	// Replicas is the least number of pods; the same as scale.min.
	Replicas *int32 `json:"replicas,omitempty"`
	// Scale says how the pods follow the load.
	Scale *Scale `json:"scale,omitempty"`
	// Resources are the container's.
	Resources *Resources `json:"resources,omitempty"`
	// Env are further environment variables.
	Env []EnvVar `json:"env,omitempty"`
	// Timeout is how long one call of the node may take; at most 590s.
	Timeout *metav1.Duration `json:"timeout,omitempty"`
}

// EnvVar is an environment variable with a value. Secrets belong into config.variables.
type EnvVar struct {
	Name  string `json:"name"`
	Value string `json:"value,omitempty"`
}

// Scale says how a node's pods follow its load.
type Scale struct {
	// Min is the least number of pods; 0 lets the node scale to zero.
	Min *int32 `json:"min,omitempty"`
	// Max is the largest number of pods; 0 means no bound.
	Max *int32 `json:"max,omitempty"`
	// Target is how many requests a pod should have in flight.
	Target *int32 `json:"target,omitempty"`
	// Concurrency is how many it may have at most; 0 means no bound.
	Concurrency *int64 `json:"concurrency,omitempty"`
}

// Resources are quantities by resource name.
type Resources struct {
	Requests corev1.ResourceList `json:"requests,omitempty"`
	Limits   corev1.ResourceList `json:"limits,omitempty"`
}

// Workflow ties an rpc of the entrypoint to nodes in order.
type Workflow struct {
	Name string `json:"name"`
	// Entrypoint is an rpc of the public proto: its name, with its service, or in full.
	Entrypoint string `json:"entrypoint"`
	// Sequential are the names of the nodes a request passes, in order.
	Sequential []string `json:"sequential"`
}

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
	Phase              Phase              `json:"phase,omitempty"`
	ObservedGeneration int64              `json:"observedGeneration,omitempty"`
	Conditions         []metav1.Condition `json:"conditions,omitempty"`
	// Address makes a version addressable: a sink for Triggers, sources and kn.
	Address *Address `json:"address,omitempty"`
	// Nodes and Workflows are in the order of the spec.
	Nodes     []NodeStatus     `json:"nodes,omitempty"`
	Workflows []WorkflowStatus `json:"workflows,omitempty"`
	// History holds the last 20 changes of the wanted state, the newest last.
	History []VersionEvent `json:"history,omitempty"`
}

// Address is where a version takes events (Knative's Addressable).
type Address struct {
	URL string `json:"url,omitempty"`
}

// NodeStatus is the state of one node.
type NodeStatus struct {
	Name  string `json:"name"`
	Ready bool   `json:"ready"`
	// Reason and Message tell why a node is not ready.
	Reason  string `json:"reason,omitempty"`
	Message string `json:"message,omitempty"`
	// Revision is the Knative Revision that is meant.
	Revision string `json:"revision,omitempty"`
	// Image is the image with the digest that runs.
	Image string `json:"image,omitempty"`
}

// WorkflowStatus is the state of one workflow.
type WorkflowStatus struct {
	Name    string `json:"name"`
	Ready   bool   `json:"ready"`
	Reason  string `json:"reason,omitempty"`
	Message string `json:"message,omitempty"`
	// Address is where the workflow's Sequence takes events; empty with direct delivery.
	Address string `json:"address,omitempty"`
}

// VersionEvent is one change in the life of a version.
type VersionEvent struct {
	Time    metav1.Time `json:"time"`
	State   State       `json:"state"`
	Comment string      `json:"comment,omitempty"`
}
