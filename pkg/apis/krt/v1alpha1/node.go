package v1alpha1

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Node is user code in an image.
//
// +kubebuilder:validation:XValidation:rule="!has(self.replicas) || !has(self.scale) || !has(self.scale.min) || self.replicas == self.scale.min",message="replicas and scale.min differ, and both set the minimum number of pods: set only one of them"
// +kubebuilder:validation:XValidation:rule="!has(self.replicas) || !has(self.scale) || !has(self.scale.max) || self.scale.max == 0 || self.scale.max >= self.replicas",message="scale.max is less than replicas, the minimum number of pods: raise scale.max, or lower replicas"
// +kubebuilder:validation:XValidation:rule="!has(self.gpuRequest) || has(self.gpu) && self.gpu",message="gpuRequest has an effect only with gpu: true"
// +kubebuilder:validation:XValidation:rule="!has(self.gpuRequest) || !has(self.gpuRequest.resource) || !has(self.resources) || !(has(self.resources.limits) && self.gpuRequest.resource in self.resources.limits) && !(has(self.resources.requests) && self.gpuRequest.resource in self.resources.requests)",message="gpuRequest and resources ask for the same resource: remove it from resources"
type Node struct {
	// Name is the node's name: its Knative Service is <version>-<name>.
	// +kubebuilder:validation:MaxLength=19
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",message="the name of a node may contain only a to z, 0 to 9 and \"-\", and must begin and end with a letter or digit"
	// +kubebuilder:validation:XValidation:rule="!(self in ['entrypoint', 'reply', 'config'])",message="entrypoint, reply and config are reserved for the platform's own objects; choose another name for the node"
	Name string `json:"name"`
	// Image contains the runner and the node's code. In a file for ko apply, it may be ko:// and a Go import path: ko builds
	// it and replaces it with the image.
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:XValidation:rule="self.matches('^[^\\\\s]+$')",message="a node needs an image reference, without spaces"
	// +kubebuilder:validation:XValidation:rule="!self.startsWith('ko://')",message="this is a Go import path, which ko builds and replaces with an image: apply the file with ko apply -f FILE"
	Image string `json:"image"`
	// Src is the path of the code, relative to the bundle's root. The image's runner gets it as KRT_HANDLER_PATH.
	// +kubebuilder:validation:MaxLength=1024
	// +kubebuilder:validation:XValidation:rule="self == '' || !self.contains('\\\\') && self.split('/').all(part, part != '' && part != '.' && part != '..')",message="a path is relative to the bundle's root and stays inside: names joined by single slashes, without \".\" and \"..\""
	// +optional
	Src string `json:"src,omitempty"`
	// GPU asks for one GPU, unless gpuRequest says which and how many.
	// +optional
	GPU bool `json:"gpu,omitempty"`
	// GPURequest is which GPUs the node needs, with gpu: true.
	// +optional
	GPURequest *GPURequest `json:"gpuRequest,omitempty"`
	// Replicas is the minimum number of pods, the same as scale.min.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=1000
	// +optional
	Replicas *int32 `json:"replicas,omitempty"`
	// Workers is how many calls a pod handles at the same time. A Python node has one process, with its own init, for each.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=256
	// +optional
	Workers *int32 `json:"workers,omitempty"`
	// Fork starts a Python node's workers by forking one process that has run init. It has no effect with a GPU.
	// +optional
	Fork bool `json:"fork,omitempty"`
	// Scale is how the number of pods follows the load.
	// +optional
	Scale *Scale `json:"scale,omitempty"`
	// Resources are the resources of the container.
	// +optional
	Resources *Resources `json:"resources,omitempty"`
	// ConfigFiles is what the variable of a config file contains: the file's path (Path, the default), or the file's content
	// (Content), with the path in <name>_PATH, as nodes of the original platform expect.
	// +kubebuilder:validation:Enum=Path;Content
	// +optional
	ConfigFiles ConfigFiles `json:"configFiles,omitempty"`
	// Env are additional environment variables.
	// +kubebuilder:validation:MaxItems=64
	// +listType=map
	// +listMapKey=name
	// +optional
	Env []EnvVar `json:"env,omitempty"`
	// Timeout is how long one call of the node may take, at most 590s.
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]+([.][0-9]+)?(ms|s|m|h))+$') && duration(self) >= duration('1ms') && duration(self) <= duration('590s')",message="a timeout is a duration such as 30s or 2m, at least 1ms and at most 590s"
	// +optional
	Timeout *metav1.Duration `json:"timeout,omitempty"`
}

// ConfigFiles is what the variable of a config file contains.
type ConfigFiles string

// The values of ConfigFiles.
const (
	ConfigFilesPath    ConfigFiles = "Path"
	ConfigFilesContent ConfigFiles = "Content"
)

// EnvVar is an environment variable with a value. Secrets belong in config.variables.
type EnvVar struct {
	// Name is the variable's name.
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[A-Za-z_][A-Za-z0-9_]*$')",message="the name of an environment variable may contain only letters, digits and \"_\", and must not begin with a digit"
	// +kubebuilder:validation:XValidation:rule="!self.matches('^(PORT$|PATH$|HOME$|K_|KRT_|LD_|PYTHON)')",message="PORT, PATH, HOME and names that begin with K_, KRT_, LD_ or PYTHON are reserved for the platform; choose another name"
	Name string `json:"name"`
	// Value is the variable's value. It is used as it is: nothing in it is expanded.
	// +kubebuilder:validation:MaxLength=32768
	// +optional
	Value string `json:"value,omitempty"`
}

// Scale is how the number of a node's pods follows its load.
//
// +kubebuilder:validation:XValidation:rule="!has(self.min) || !has(self.max) || self.max == 0 || self.max >= self.min",message="scale.max is less than scale.min: raise max (0 means no limit), or lower min"
type Scale struct {
	// Min is the minimum number of pods; 0 lets the node scale to zero.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=1000
	// +optional
	Min *int32 `json:"min,omitempty"`
	// Max is the maximum number of pods; 0 means no limit.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=1000
	// +optional
	Max *int32 `json:"max,omitempty"`
	// Target is the number of requests in flight that the autoscaler aims for in each pod.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000
	// +optional
	Target *int32 `json:"target,omitempty"`
	// Concurrency is the maximum number of requests in flight in a pod; 0 means no limit.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=1000
	// +optional
	Concurrency *int64 `json:"concurrency,omitempty"`
	// Keep is how long the last pod stays after its last request, at most 1h. The default is 10m for a node with a GPU, and
	// Knative's own setting for others. It has no effect with a minimum of pods.
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]+([.][0-9]+)?(ms|s|m|h))+$') && duration(self) >= duration('1s') && duration(self) <= duration('1h')",message="scale.keep is a duration such as 10m, at least 1s and at most 1h"
	// +optional
	Keep *metav1.Duration `json:"keep,omitempty"`
	// StartTimeout is how long a pod may take to become ready, with the time until there is a machine for it, at most 24h. The
	// default is 20m for a node with a GPU, and the cluster's settings for others.
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]+([.][0-9]+)?(ms|s|m|h))+$') && duration(self) >= duration('1s') && duration(self) <= duration('24h')",message="scale.startTimeout is a duration such as 30m, at least 1s and at most 24h"
	// +optional
	StartTimeout *metav1.Duration `json:"startTimeout,omitempty"`
}

// GPURequest is a number of GPUs, or of parts of GPUs.
type GPURequest struct {
	// Resource is the name of the resource: that of a kind of GPU, such as nvidia.com/gpu, amd.com/gpu or habana.ai/gaudi,
	// or of a part of one, such as nvidia.com/mig-1g.10gb or nvidia.com/gpu.shared. The default is the setting gpu-resource.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9.]*[a-z0-9])?/[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$')",message="a GPU is a resource such as nvidia.com/gpu or nvidia.com/mig-1g.10gb: a domain, \"/\" and a name"
	// +kubebuilder:validation:XValidation:rule="!self.matches('^([^/]*[.])?kubernetes[.]io/')",message="resources of kubernetes.io are not GPUs"
	// +optional
	Resource string `json:"resource,omitempty"`
	// Count is how many of them each pod gets for itself. The default is 1.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=64
	// +optional
	Count *int32 `json:"count,omitempty"`
}

// Resources are quantities by resource name.
type Resources struct {
	// Requests is what the scheduler reserves.
	// +kubebuilder:validation:Type=object
	// +kubebuilder:validation:MaxProperties=64
	// +optional
	Requests corev1.ResourceList `json:"requests,omitempty"`
	// Limits is the most that the container may use.
	// +kubebuilder:validation:Type=object
	// +kubebuilder:validation:MaxProperties=64
	// +optional
	Limits corev1.ResourceList `json:"limits,omitempty"`
}
