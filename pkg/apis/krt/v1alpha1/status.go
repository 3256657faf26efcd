package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// Phase is the stage of a version's lifecycle.
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

// VersionStatus is the observed state of a version.
type VersionStatus struct {
	// Phase is the stage of the version's lifecycle.
	// +kubebuilder:validation:Enum=Stopped;Starting;Started;Publishing;Published;Stopping
	// +optional
	Phase Phase `json:"phase,omitempty"`
	// ObservedGeneration is the generation of the spec that the status is about.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// Conditions are Ready, which summarizes ConfigReady, NodesReady, WorkflowsReady and EntrypointReady; Published;
	// Current, while the version runs; and StoreUnavailable, StopRefused and DeleteRefused, while they are true.
	// +listType=map
	// +listMapKey=type
	// +optional
	Conditions []metav1.Condition `json:"conditions,omitempty"`
	// Address makes the version addressable: it can be the sink of Triggers, sources and kn.
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
	// StartedWith is the settings and images that the version was started with; empty while it is stopped.
	// +optional
	StartedWith *StartedWith `json:"startedWith,omitempty"`
	// Stream is true once the version has been started with durable delivery: its stream stays in the queue, with the room that
	// it takes, until the version is deleted.
	// +optional
	Stream bool `json:"stream,omitempty"`
	// Warm is how far its nodes are that are kept up because of the annotation krt.dev/warm-until; empty: none are.
	// +optional
	Warm *Warm `json:"warm,omitempty"`
	// History has the last 20 changes of the wanted state, the newest last.
	// +kubebuilder:validation:MaxItems=20
	// +listType=atomic
	// +optional
	History []VersionEvent `json:"history,omitempty"`
}

// Warm is how far the nodes are that are kept up.
type Warm struct {
	// Until is the time in the annotation. It is missing if the annotation has no effect; Message says why.
	// +optional
	Until metav1.Time `json:"until,omitzero"`
	// Waiting are the nodes that are not up yet.
	// +kubebuilder:validation:MaxItems=64
	// +listType=atomic
	// +optional
	Waiting []string `json:"waiting,omitempty"`
	// Message is why the first of them could not be woken, if it could not, or what is wrong with the annotation.
	// +optional
	Message string `json:"message,omitempty"`
}

// Level is that of the versions which this kn-krt starts: see [StartedWith].
const Level int32 = 5

// StartedWith is what the objects of a version are made from in addition to its spec: the cluster's
// settings and images at the start or the last restart, so that neither a changed setting nor an upgrade
// of kn-krt changes a version that runs.
type StartedWith struct {
	// Settings are the settings of config-krt that the objects of a version depend on, with the defaults of that time.
	// Settings that apply immediately are the newest ones.
	// +kubebuilder:validation:MaxProperties=64
	// +optional
	Settings map[string]string `json:"settings,omitempty"`
	// EntrypointImage is the image of the entrypoint.
	// +optional
	EntrypointImage string `json:"entrypointImage,omitempty"`
	// Sequences is the suffix of the names of the version's Sequences; empty unless a restart has replaced them.
	// +optional
	Sequences string `json:"sequences,omitempty"`
	// StoreSecret is the Secret with the version's credentials for the store; empty without a store.
	// +optional
	StoreSecret string `json:"storeSecret,omitempty"`
	// QueueSecret is the Secret with the version's credentials for the queue; empty without durable delivery.
	// +optional
	QueueSecret string `json:"queueSecret,omitempty"`
	// Abilities are what the version can do by the kn-krt that has started it.
	Abilities `json:",inline"`
	// Restart is spec.restart at that time.
	// +optional
	Restart string `json:"restart,omitempty"`
	// FormerUntil is until when the Sequences from before a restart are kept, for work that continues after the client has
	// its response. Empty unless a restart has replaced them.
	// +optional
	FormerUntil *metav1.Time `json:"formerUntil,omitempty"`
}

// Abilities are what the objects of a version have and can, by the kn-krt that has started it: an older one does not
// know all of it.
type Abilities struct {
	// Traffic is whether the entrypoint can divide requests between the version and a canary. It cannot if an older
	// kn-krt has started the version.
	// +optional
	Traffic bool `json:"traffic,omitempty"`
	// Kept is whether the entrypoint knows the durable delivery, channels of different kinds, results and dead letters that
	// are kept, and the pods of nodes. It does not if an older kn-krt has started the version.
	// +optional
	Kept bool `json:"kept,omitempty"`
	// Warm is whether the entrypoint can wake nodes ahead of events. It cannot if an older kn-krt has started the version.
	// +optional
	Warm bool `json:"warm,omitempty"`
	// Patient is whether nodes wait for machines: with start timeouts of their own, GPUs by name, and responses that say what a
	// node waits for. They do not if an older kn-krt has started the version.
	// +optional
	Patient bool `json:"patient,omitempty"`
	// Encrypted is whether Knative encrypted at that time what passes between its own components (system-internal-tls).
	// Nodes are called through their Knative Services then, and never past these.
	// +optional
	Encrypted bool `json:"encrypted,omitempty"`
	// Attempts is whether the entrypoint ends an attempt of durable delivery that its node has not answered in its own time. It
	// does not if an older kn-krt has started the version.
	// +optional
	Attempts bool `json:"attempts,omitempty"`
	// Level is what else the version's objects have, by the kn-krt that has started it; 0 if that is an older one. From 1 on, a
	// node is asked every second whether it is ready; from 2 on, nodes and entrypoint have credentials of their own for the
	// store; from 3 on, each configuration of the entrypoint has a ConfigMap of its own; from 4 on, steps behind in-memory
	// channels have no timeout; from 5 on, the timeout of a node that waits for a machine leaves its start the start timeout.
	// +optional
	Level int32 `json:"level,omitempty"`
}

// Latest is what a version can do that this kn-krt starts. Encrypted is the cluster's to say.
func Latest() Abilities {
	return Abilities{Traffic: true, Kept: true, Warm: true, Patient: true, Attempts: true, Level: Level}
}

// AsksOften reports whether a node is asked every second whether it is ready.
func (a Abilities) AsksOften() bool { return a.Level >= 1 }

// Divides reports whether the credentials for the store are divided: nodes have one, and the entrypoint another one.
func (a Abilities) Divides() bool { return a.Level >= 2 } //nolint:mnd // see Level

// OwnContent reports whether each configuration of the entrypoint has a ConfigMap of its own.
func (a Abilities) OwnContent() bool { return a.Level >= 3 } //nolint:mnd // see Level

// Untimed reports whether steps have no timeout behind channels that would keep each response until that is over.
func (a Abilities) Untimed() bool { return a.Level >= 4 } //nolint:mnd // see Level

// LeavesStarts reports whether the timeout of a node that waits for a machine does not end what waits for its start.
func (a Abilities) LeavesStarts() bool { return a.Level >= 5 } //nolint:mnd // see Level

// Lacks returns what a restart brings that the version does not have because an older kn-krt has started it, for a
// person; nothing if it has all that this one gives.
func (a Abilities) Lacks() (lacks []string) {
	for _, one := range []struct {
		has  bool
		text string
	}{
		{a.Traffic, "requests that are divided with a canary"},
		{a.Kept, "durable delivery and kept results"},
		{a.Warm, "nodes that are woken ahead of events"},
		{a.Patient, "nodes that wait for machines"},
		{a.Attempts, "attempts of durable delivery that end in time"},
		{a.AsksOften(), "nodes that are found to be ready sooner"},
		{a.Divides(), "nodes without the entrypoint's rights on the store"},
		{a.OwnContent(), "an entrypoint whose pods outlive a failed upgrade"},
		{a.Untimed(), "a Sequence whose in-memory channels keep no responses"},
		{a.LeavesStarts(), "nodes whose timeout does not end a wait for a machine"},
	} {
		if !one.has {
			lacks = append(lacks, one.text)
		}
	}
	return lacks
}

// Address is where a version accepts events (Knative's Addressable).
type Address struct {
	// URL is the absolute URL of the version's own Service.
	// +optional
	URL string `json:"url,omitempty"`
}

// NodeStatus is the state of one node.
type NodeStatus struct {
	// Name is the node's name.
	Name string `json:"name"`
	// Ready is whether the node can handle requests. A node that is scaled to zero can.
	Ready bool `json:"ready"`
	// Reason is why the node is not ready, in one word; WaitingForNode also of one that is, while its pod waits for a machine.
	// +optional
	Reason string `json:"reason,omitempty"`
	// Message is why the node is not ready, and what to do next.
	// +optional
	Message string `json:"message,omitempty"`
	// Revision is the node's Knative Revision.
	// +optional
	Revision string `json:"revision,omitempty"`
	// Image is the image that runs, with its digest.
	// +optional
	Image string `json:"image,omitempty"`
}

// WorkflowStatus is the state of one workflow.
type WorkflowStatus struct {
	// Name is the workflow's name.
	Name string `json:"name"`
	// Ready is whether the workflow can handle requests.
	Ready bool `json:"ready"`
	// Reason is why the workflow is not ready, in one word.
	// +optional
	Reason string `json:"reason,omitempty"`
	// Message is why the workflow is not ready, or what may become a problem, and what to do next.
	// +optional
	Message string `json:"message,omitempty"`
	// Address is where the workflow's Sequence accepts events; empty with direct delivery.
	// +optional
	Address string `json:"address,omitempty"`
	// Channel is the kind of the channels of the workflow's Sequence, such as InMemoryChannel, KafkaChannel or
	// DiskChannel.example.org; empty with direct delivery.
	// +optional
	Channel string `json:"channel,omitempty"`
}

// VersionEvent is one change of a version's wanted state, or a restart.
type VersionEvent struct {
	// Time is when the change was observed.
	Time metav1.Time `json:"time"`
	// State is spec.state at that time.
	State State `json:"state"`
	// Restart is spec.restart at that time.
	// +optional
	Restart string `json:"restart,omitempty"`
	// Comment is spec.comment at that time.
	// +optional
	Comment string `json:"comment,omitempty"`
}
