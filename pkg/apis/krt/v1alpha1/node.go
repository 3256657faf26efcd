package v1alpha1

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Node is user code in an image.
//
// +kubebuilder:validation:XValidation:rule="!has(self.replicas) || !has(self.scale) || !has(self.scale.min) || self.replicas == self.scale.min",message="replicas and scale.min differ, and both mean the least number of pods: say it once"
// +kubebuilder:validation:XValidation:rule="!has(self.replicas) || !has(self.scale) || !has(self.scale.max) || self.scale.max == 0 || self.scale.max >= self.replicas",message="scale.max is less than replicas, the least number of pods: raise scale.max, or lower replicas"
type Node struct {
	// Name is the node's: its Knative Service is <version>-<name>.
	// +kubebuilder:validation:MaxLength=19
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",message="the name of a node holds only a to z, 0 to 9 and \"-\", and begins and ends with a letter or digit"
	// +kubebuilder:validation:XValidation:rule="!(self in ['entrypoint', 'reply', 'config'])",message="entrypoint, reply and config are names of the platform's own objects; choose another name for the node"
	Name string `json:"name"`
	// Image holds the runner and the node's code. In a file, ko:// and a Go import path: ko builds it and puts the image here.
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:XValidation:rule="self.matches('^[^\\\\s]+$')",message="a node needs the reference of an image, without spaces"
	// +kubebuilder:validation:XValidation:rule="!self.startsWith('ko://')",message="this is a Go import path, which ko builds and replaces by an image: apply the file with ko apply -f FILE"
	Image string `json:"image"`
	// Src is the path of the code from the bundle's root, where the image's runner must be told (KRT_HANDLER_PATH).
	// +kubebuilder:validation:MaxLength=1024
	// +kubebuilder:validation:XValidation:rule="self == '' || !self.contains('\\\\') && self.split('/').all(part, part != '' && part != '.' && part != '..')",message="a path is relative to the bundle's root and stays inside: names joined by single slashes, without \".\" and \"..\""
	// +optional
	Src string `json:"src,omitempty"`
	// GPU asks for one GPU.
	// +optional
	GPU bool `json:"gpu,omitempty"`
	// Replicas is the least number of pods; the same as scale.min.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=1000
	// +optional
	Replicas *int32 `json:"replicas,omitempty"`
	// Workers is how many calls a pod works on at once; a Python node has a process, with an init of its own, for each.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=256
	// +optional
	Workers *int32 `json:"workers,omitempty"`
	// Fork has a Python node's workers forked from one process that has run init; never with a GPU.
	// +optional
	Fork bool `json:"fork,omitempty"`
	// Scale says how the pods follow the load.
	// +optional
	Scale *Scale `json:"scale,omitempty"`
	// Resources are the container's.
	// +optional
	Resources *Resources `json:"resources,omitempty"`
	// ConfigFiles is what the variable of a config file holds: the file's path (Path, the default), or its content (Content), with the path in <name>_PATH, as nodes of the original platform expect it.
	// +kubebuilder:validation:Enum=Path;Content
	// +optional
	ConfigFiles ConfigFiles `json:"configFiles,omitempty"`
	// Env are further environment variables.
	// +kubebuilder:validation:MaxItems=64
	// +listType=map
	// +listMapKey=name
	// +optional
	Env []EnvVar `json:"env,omitempty"`
	// Timeout is how long one call of the node may take; at most 590s.
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]+([.][0-9]+)?(ms|s|m|h))+$') && duration(self) >= duration('1ms') && duration(self) <= duration('590s')",message="a timeout is a duration such as 30s or 2m, at least 1ms and at most 590s"
	// +optional
	Timeout *metav1.Duration `json:"timeout,omitempty"`
}

// ConfigFiles is what the variable of a config file holds.
type ConfigFiles string

// What the variable of a config file may hold.
const (
	ConfigFilesPath    ConfigFiles = "Path"
	ConfigFilesContent ConfigFiles = "Content"
)

// EnvVar is an environment variable with a value. Secrets belong into config.variables.
type EnvVar struct {
	// Name is the variable's.
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[A-Za-z_][A-Za-z0-9_]*$')",message="the name of an environment variable holds only letters, digits and \"_\", and does not begin with a digit"
	// +kubebuilder:validation:XValidation:rule="!self.matches('^(PORT$|PATH$|HOME$|K_|KRT_|LD_|PYTHON)')",message="PORT, PATH, HOME and what begins with K_, KRT_, LD_ or PYTHON is the platform's; choose another name"
	Name string `json:"name"`
	// Value is the variable's, as it is: nothing in it is replaced.
	// +kubebuilder:validation:MaxLength=32768
	// +optional
	Value string `json:"value,omitempty"`
}

// Scale says how a node's pods follow its load.
//
// +kubebuilder:validation:XValidation:rule="!has(self.min) || !has(self.max) || self.max == 0 || self.max >= self.min",message="scale.max is less than scale.min: raise max (0 means no bound), or lower min"
type Scale struct {
	// Min is the least number of pods; 0 lets the node scale to zero.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=1000
	// +optional
	Min *int32 `json:"min,omitempty"`
	// Max is the largest number of pods; 0 means no bound.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=1000
	// +optional
	Max *int32 `json:"max,omitempty"`
	// Target is how many requests a pod should have in flight.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000
	// +optional
	Target *int32 `json:"target,omitempty"`
	// Concurrency is how many it may have at most; 0 means no bound.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=1000
	// +optional
	Concurrency *int64 `json:"concurrency,omitempty"`
}

// Resources are quantities by resource name.
type Resources struct {
	// Requests is what the scheduler reserves.
	// +kubebuilder:validation:Type=object
	// +kubebuilder:validation:MaxProperties=64
	// +optional
	Requests corev1.ResourceList `json:"requests,omitempty"`
	// Limits is what the container may use at most.
	// +kubebuilder:validation:Type=object
	// +kubebuilder:validation:MaxProperties=64
	// +optional
	Limits corev1.ResourceList `json:"limits,omitempty"`
}
