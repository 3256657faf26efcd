package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// Version is one KRT V1 version: an entrypoint, nodes and workflows.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=krtv,categories={all,knative,krt}
// +kubebuilder:metadata:labels={"app.kubernetes.io/part-of=kn-krt","duck.knative.dev/addressable=true"}
// +kubebuilder:printcolumn:name="Phase",type=string,JSONPath=`.status.phase`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Published",type=string,JSONPath=`.status.conditions[?(@.type=="Published")].status`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="URL",type=string,priority=1,JSONPath=`.status.address.url`
// +kubebuilder:validation:XValidation:rule="has(oldSelf.spec.state) && oldSelf.spec.state == 'Started' || !has(oldSelf.status) || !has(oldSelf.status.phase) || !(oldSelf.status.phase in ['Publishing', 'Published'] || oldSelf.status.phase == 'Started' && has(oldSelf.status.conditions) && oldSelf.status.conditions.exists(c, c.type == 'Published' && c.reason == 'Canary')) || self.spec.entrypoint == oldSelf.spec.entrypoint && self.spec.nodes == oldSelf.spec.nodes && self.spec.workflows == oldSelf.spec.workflows && has(self.spec.config) == has(oldSelf.spec.config) && (!has(self.spec.config) || self.spec.config == oldSelf.spec.config) && has(self.spec.description) == has(oldSelf.spec.description) && (!has(self.spec.description) || self.spec.description == oldSelf.spec.description) && has(self.spec.artifact) == has(oldSelf.spec.artifact) && (!has(self.spec.artifact) || self.spec.artifact == oldSelf.spec.artifact)",message="the version still runs although its state is Stopped, and its content cannot change meanwhile: a published version runs until it is unpublished, a canary until it gets no requests; see status.conditions",fieldPath=".spec"
// +kubebuilder:validation:XValidation:rule="self.metadata.name.size() <= 19",message="metadata.name: a version's name can have at most 19 characters, because the names of its objects begin with it; choose a shorter one"
// +kubebuilder:validation:XValidation:rule="self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",message="metadata.name: a version's name may contain only a to z, 0 to 9 and \"-\", must begin with a letter and end with a letter or digit, because a Service gets this name"
// +kubebuilder:validation:XValidation:rule="self.metadata.name != 'active-entrypoint'",message="metadata.name: active-entrypoint is the name of the published version's Service; choose another"
type Version struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec VersionSpec `json:"spec"`
	// +optional
	Status VersionStatus `json:"status,omitzero"`
}

// VersionList is a list of versions.
//
// +kubebuilder:object:root=true
type VersionList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	Items []Version `json:"items"`
}

// VersionSpec is the content of a manifest, the text of its protos, and the wanted state. Everything except state, restart and
// comment is content, which cannot change while state is Started (KRT V1, lifecycle). The limits are those of pkg/krt.
//
// +kubebuilder:validation:XValidation:rule="!has(oldSelf.state) || oldSelf.state == 'Stopped' || self.entrypoint == oldSelf.entrypoint",message="the content of a version cannot change while state is Started (everything except state, restart and comment is content, images too): create a new version, or stop this one first (state: Stopped) and change it then",fieldPath=".entrypoint"
// +kubebuilder:validation:XValidation:rule="!has(oldSelf.state) || oldSelf.state == 'Stopped' || self.nodes == oldSelf.nodes",message="the content of a version cannot change while state is Started (everything except state, restart and comment is content, images too): create a new version, or stop this one first (state: Stopped) and change it then",fieldPath=".nodes"
// +kubebuilder:validation:XValidation:rule="!has(oldSelf.state) || oldSelf.state == 'Stopped' || self.workflows == oldSelf.workflows",message="the content of a version cannot change while state is Started (everything except state, restart and comment is content, images too): create a new version, or stop this one first (state: Stopped) and change it then",fieldPath=".workflows"
// +kubebuilder:validation:XValidation:rule="!has(oldSelf.state) || oldSelf.state == 'Stopped' || has(self.config) == has(oldSelf.config) && (!has(self.config) || self.config == oldSelf.config)",message="the content of a version cannot change while state is Started (everything except state, restart and comment is content, images too): create a new version, or stop this one first (state: Stopped) and change it then",fieldPath=".config"
// +kubebuilder:validation:XValidation:rule="!has(oldSelf.state) || oldSelf.state == 'Stopped' || has(self.description) == has(oldSelf.description) && (!has(self.description) || self.description == oldSelf.description)",message="the content of a version cannot change while state is Started (everything except state, restart and comment is content, images too): create a new version, or stop this one first (state: Stopped) and change it then",fieldPath=".description"
// +kubebuilder:validation:XValidation:rule="!has(oldSelf.state) || oldSelf.state == 'Stopped' || has(self.artifact) == has(oldSelf.artifact) && (!has(self.artifact) || self.artifact == oldSelf.artifact)",message="the content of a version cannot change while state is Started (everything except state, restart and comment is content, images too): create a new version, or stop this one first (state: Stopped) and change it then",fieldPath=".artifact"
// +kubebuilder:validation:XValidation:rule="self.workflows.all(w, w.sequential.all(s, self.nodes.exists(n, n.name == s)))",message="a workflow names a node that is not declared: declare it in nodes, or correct the name",fieldPath=".workflows"
// +kubebuilder:validation:XValidation:rule="self.workflows.all(w, self.workflows.exists_one(x, x.entrypoint == w.entrypoint))",message="several workflows have the same entrypoint: each workflow needs an rpc of its own",messageExpression="'several workflows have the entrypoint \"' + self.workflows.filter(w, !self.workflows.exists_one(x, x.entrypoint == w.entrypoint))[0].entrypoint + '\": each workflow needs an rpc of its own'",fieldPath=".workflows"
// +kubebuilder:validation:XValidation:rule="!has(self.entrypoint.authentication) || !has(self.entrypoint.authentication.workflows) || self.entrypoint.authentication.workflows.all(a, self.workflows.exists(w, w.name == a))",message="authentication names a workflow that is not declared: declare it in workflows, or correct the name",fieldPath=".entrypoint.authentication.workflows"
// +kubebuilder:validation:XValidation:rule="!has(self.config) || !has(self.config.variables) || self.nodes.all(n, !has(n.env) || n.env.all(e, !(e.name in self.config.variables)))",message="an environment variable of a node is also in config.variables: declare it only once, in env or in config",fieldPath=".nodes"
// +kubebuilder:validation:XValidation:rule="!has(self.config) || !has(self.config.files) || self.nodes.all(n, !has(n.env) || n.env.all(e, !(e.name in self.config.files)))",message="an environment variable of a node is also in config.files: declare it only once, in env or in config",fieldPath=".nodes"
type VersionSpec struct {
	// State is whether the version should run.
	// +kubebuilder:default=Stopped
	// +kubebuilder:validation:Enum=Stopped;Started
	// +optional
	State State `json:"state,omitempty"`
	// Restart restarts a started version when it changes to another text, such as the current time: the version gets the
	// cluster's newest settings, without losing a request.
	// +kubebuilder:validation:MaxLength=64
	// +optional
	Restart string `json:"restart,omitempty"`
	// Comment is the reason for the change of state or restart; it is kept in status.history.
	// +kubebuilder:validation:MaxLength=1024
	// +optional
	Comment string `json:"comment,omitempty"`
	// Description is the manifest's description.
	// +kubebuilder:validation:MaxLength=4096
	// +optional
	Description string `json:"description,omitempty"`
	// Entrypoint is what clients can call.
	Entrypoint Entrypoint `json:"entrypoint"`
	// Artifact refers, by digest, to the OCI artifact with the bundle's docs/, metrics/ and assets/examples/, which dashboards
	// show. Empty: there is none.
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9][-a-z0-9._:/]*@sha256:[0-9a-f]{64}$')",message="an artifact is referred to by digest, such as registry.example.com/team/krt-nodes@sha256:0123…"
	// +optional
	Artifact string `json:"artifact,omitempty"`
	// Config lists the names that must have a value in the Secret <version>-config before the version starts.
	// +optional
	Config Config `json:"config,omitzero"`
	// Nodes are the programs of the version.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	// +listType=map
	// +listMapKey=name
	Nodes []Node `json:"nodes"`
	// Workflows tie each rpc of the entrypoint to an ordered list of nodes.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	// +listType=map
	// +listMapKey=name
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
	// DeliveryDirect makes the entrypoint call each node itself.
	DeliveryDirect Delivery = "Direct"
	// DeliveryDurable keeps events in a queue on disk between the nodes, which the entrypoint calls itself.
	DeliveryDurable Delivery = "Durable"
)

// Entrypoint is what clients can call, and how their requests travel.
//
// +kubebuilder:validation:XValidation:rule="self.files.exists(f, f.path == self.proto)",message="entrypoint.proto is not among entrypoint.files: add its text there, or correct the path",fieldPath=".proto"
// +kubebuilder:validation:XValidation:rule="!has(self.channelTemplate) || !has(self.delivery) || self.delivery == 'Sequence'",message="a channelTemplate is of use only with delivery Sequence: remove it, or change the delivery",fieldPath=".channelTemplate"
// +kubebuilder:validation:XValidation:rule="self.files.map(f, bytes(f.content).size()).sum() <= 131072",message="the protos have more than 128 KiB in total: remove those that the public proto does not import",fieldPath=".files"
type Entrypoint struct {
	// Proto is the path, in Files, of the public proto.
	// +kubebuilder:validation:MaxLength=1024
	Proto string `json:"proto"`
	// Files are the public proto and everything it imports, except Google's well-known types.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	// +listType=map
	// +listMapKey=path
	Files []ProtoFile `json:"files"`
	// Timeout is how long a client waits at most; a client's own shorter deadline takes precedence. Empty: the cluster's
	// default (config-krt), 30s unless set. At most 590s.
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]+([.][0-9]+)?(ms|s|m|h))+$') && duration(self) >= duration('1ms') && duration(self) <= duration('590s')",message="a timeout is a duration such as 30s or 2m, at least 1ms and at most 590s"
	// +optional
	Timeout *metav1.Duration `json:"timeout,omitempty"`
	// BackgroundTimeout is how long work may continue after an early reply, and for asynchronous requests. Empty: the
	// cluster's default (config-krt), 1h unless set. At most 24h. Where a call of a node passes through Knative, the timeout
	// of the node's revision also applies to it.
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]+([.][0-9]+)?(ms|s|m|h))+$') && duration(self) >= duration('1ms') && duration(self) <= duration('24h')",message="a background timeout is a duration such as 10m or 2h, at least 1ms and at most 24h"
	// +optional
	BackgroundTimeout *metav1.Duration `json:"backgroundTimeout,omitempty"`
	// Delivery is Sequence unless set.
	// +kubebuilder:default=Sequence
	// +kubebuilder:validation:Enum=Sequence;Direct;Durable
	// +optional
	Delivery Delivery `json:"delivery,omitempty"`
	// ChannelTemplate is the channel between the steps of the version's Sequences. Without it, the cluster's default applies
	// (config-krt).
	// +optional
	ChannelTemplate *ChannelTemplate `json:"channelTemplate,omitempty"`
	// Results keeps the responses to asynchronous requests in the store, from which clients fetch them by their id; an empty
	// object does so for a day. Without it, they are not kept.
	// +optional
	Results *Results `json:"results,omitempty"`
	// Replicas is the number of entrypoint pods; empty: the cluster's default, 1 unless set.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000
	// +optional
	Replicas *int32 `json:"replicas,omitempty"`
	// Inspect keeps the messages of requests in the entrypoint, for people who may forward ports to its pods; an empty object
	// does so for requests that ask for it (krt-inspect: 1). Without it, messages are never kept.
	// +optional
	Inspect *Inspect `json:"inspect,omitempty"`
	// Authentication is required of clients. Without it, whoever reaches the version may call.
	// +optional
	Authentication *Authentication `json:"authentication,omitempty"`
	// WarmUp is whether nodes at zero are woken ahead: all nodes of a workflow by its first event, and all of the version
	// before it is published or gets requests as a canary. Empty: the cluster's default (config-krt), true unless set.
	// +optional
	WarmUp *bool `json:"warmUp,omitempty"`
}

// ChannelTemplate is a channel of Knative Eventing, as in the spec.channelTemplate of a Sequence.
type ChannelTemplate struct {
	// APIVersion is that of the kind, such as messaging.knative.dev/v1.
	// +kubebuilder:validation:MaxLength=316
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-.a-z0-9]*[a-z0-9])?/v[0-9][a-z0-9]*$')",message="the apiVersion of a channel has a group and a version, such as messaging.knative.dev/v1"
	APIVersion string `json:"apiVersion"`
	// Kind is such as KafkaChannel.
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:XValidation:rule="self.matches('^[A-Z][A-Za-z0-9]*$')",message="a kind is such as KafkaChannel"
	Kind string `json:"kind"`
	// Annotations are those of each channel, such as messaging.knative.dev/async-handler of an InMemoryChannel. The controller
	// creates the channels then, and must be allowed to.
	// +kubebuilder:validation:MaxProperties=16
	// +kubebuilder:validation:XValidation:rule="self.all(a, a.size() <= 316 && self[a].size() <= 1024)",message="an annotation has a name of at most 316 characters and a value of at most 1024"
	// +optional
	Annotations map[string]string `json:"annotations,omitempty"`
	// Spec is the kind's own.
	// +kubebuilder:pruning:PreserveUnknownFields
	// +kubebuilder:validation:Type=object
	// +optional
	Spec *runtime.RawExtension `json:"spec,omitempty"`
}

// Results is how the responses to asynchronous requests are kept.
type Results struct {
	// Retention is how long a result is kept; empty: 24h. At most 720h.
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]+([.][0-9]+)?(s|m|h))+$') && duration(self) >= duration('1m') && duration(self) <= duration('720h')",message="the retention of results is a duration such as 30m or 24h, at least 1m and at most 720h"
	// +optional
	Retention *metav1.Duration `json:"retention,omitempty"`
}

// Inspect is what an entrypoint keeps of messages.
type Inspect struct {
	// Share is the percentage of requests whose messages are kept without being asked for; 0 unless set.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=100
	// +optional
	Share int32 `json:"share,omitempty"`
	// PayloadBytes is how many bytes are kept of a message; 65536 unless set.
	// +kubebuilder:validation:Minimum=1024
	// +kubebuilder:validation:Maximum=1048576
	// +optional
	PayloadBytes int32 `json:"payloadBytes,omitempty"`
	// Redact are paths of fields whose values are never kept, such as card.number. A path matches at any depth.
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MaxLength=256
	// +kubebuilder:validation:items:XValidation:rule="self.matches('^[A-Za-z_][A-Za-z0-9_]*([.][A-Za-z0-9_]+){0,15}$')",message="a path of a field is made of names joined by dots, such as card.number, at most 16"
	// +listType=set
	// +optional
	Redact []string `json:"redact,omitempty"`
	// Descriptors describe the messages between nodes (an encoded FileDescriptorSet), which are decoded with it. Those of the
	// contract need none.
	// +kubebuilder:validation:MaxLength=349528
	// +optional
	Descriptors []byte `json:"descriptors,omitempty"`
}

// ProtoFile is the text of a proto at its path.
type ProtoFile struct {
	// Path is relative to the bundle's root.
	// +kubebuilder:validation:MaxLength=1024
	// +kubebuilder:validation:XValidation:rule="self.endsWith('.proto')",message="the path of a proto ends in .proto"
	// +kubebuilder:validation:XValidation:rule="!self.contains('\\\\') && self.split('/').all(part, part != '' && part != '.' && part != '..')",message="a path is relative to the bundle's root and stays inside: names joined by single slashes, without \".\" and \"..\""
	Path string `json:"path"`
	// Content is the file's text.
	// +kubebuilder:validation:MaxLength=131072
	Content string `json:"content"`
}

// Config lists the config values that a version needs. A name is in variables or in files, and only once.
//
// +kubebuilder:validation:XValidation:rule="!has(self.variables) || !has(self.files) || self.variables.all(v, !(v in self.files))",message="a name is in both variables and files: a config value is a variable or a file, so remove it from one of them"
type Config struct {
	// Variables are names of environment variables.
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MaxLength=253
	// +kubebuilder:validation:items:XValidation:rule="self.matches('^[A-Z0-9]([_A-Z0-9]*[A-Z0-9])?$')",message="the name of a config variable may contain only A to Z, 0 to 9 and \"_\", and must begin and end with a letter or digit"
	// +kubebuilder:validation:items:XValidation:rule="!self.matches('^(PORT$|PATH$|HOME$|K_|KRT_|LD_|PYTHON)')",message="PORT, PATH, HOME and names that begin with K_, KRT_, LD_ or PYTHON are reserved for the platform; choose another name"
	// +listType=set
	// +optional
	Variables []string `json:"variables,omitempty"`
	// Files are names of variables that contain the path of a file.
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MaxLength=253
	// +kubebuilder:validation:items:XValidation:rule="self.matches('^[A-Z0-9]([_A-Z0-9]*[A-Z0-9])?$')",message="the name of a config file may contain only A to Z, 0 to 9 and \"_\", and must begin and end with a letter or digit"
	// +kubebuilder:validation:items:XValidation:rule="!self.matches('^(PORT$|PATH$|HOME$|K_|KRT_|LD_|PYTHON)')",message="PORT, PATH, HOME and names that begin with K_, KRT_, LD_ or PYTHON are reserved for the platform; choose another name"
	// +listType=set
	// +optional
	Files []string `json:"files,omitempty"`
}

// Workflow ties an rpc of the entrypoint to an ordered list of nodes.
//
// +kubebuilder:validation:XValidation:rule="self.sequential.all(s, self.sequential.exists_one(t, t == s))",message="a node is listed twice in the workflow: a workflow can have a node only once; to run it twice, declare a second node with the same image",fieldPath=".sequential"
type Workflow struct {
	// Name is the workflow's name.
	// +kubebuilder:validation:MaxLength=19
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",message="the name of a workflow may contain only a to z, 0 to 9 and \"-\", and must begin and end with a letter or digit"
	Name string `json:"name"`
	// Entrypoint is an rpc of the public proto: its name, its name with its service, or its full name.
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:XValidation:rule="self.matches('^[A-Za-z_][A-Za-z0-9_]*([.][A-Za-z_][A-Za-z0-9_]*)*$')",message="a workflow's entrypoint is an rpc of the public proto, such as Greet, Entrypoint.Greet or its full name"
	Entrypoint string `json:"entrypoint"`
	// Sequential are the names of the nodes that a request passes through, in order.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MaxLength=19
	// +listType=atomic
	Sequential []string `json:"sequential"`
}
