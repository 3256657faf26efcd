package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// Canary is a second version beside the published one: it gets a share of the requests to
// active-entrypoint, or copies of them. The published version's entrypoint divides them, one by
// one, whatever connection they come by.
//
// +kubebuilder:validation:XValidation:rule="!has(self.plan) || !has(self.weight) || self.weight == 0",message="weight: a plan sets the weights; remove weight, or plan"
type Canary struct {
	// Version is the name of the version, which must be started and serve the published contract.
	// +kubebuilder:validation:MaxLength=19
	// +kubebuilder:validation:Pattern=`^[a-z]([-a-z0-9]*[a-z0-9])?$`
	Version string `json:"version"`
	// Weight is the percentage of requests that the canary gets.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=100
	// +optional
	Weight int32 `json:"weight,omitempty"`
	// Match sends requests with this metadata to the canary, whatever the weight: for testers.
	// +kubebuilder:validation:MaxItems=8
	// +listType=atomic
	// +optional
	Match []MetadataMatch `json:"match,omitempty"`
	// Sticky names metadata whose value decides, instead of chance: requests with the same value
	// get the same version for as long as the weight does not decrease below what the value needs.
	// Requests without it are divided by chance.
	// +optional
	Sticky *MetadataName `json:"sticky,omitempty"`
	// Mirror is the percentage of requests to the published version that are copied to the canary
	// after their response. The copies are real requests: what their handlers do happens twice.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=100
	// +optional
	Mirror int32 `json:"mirror,omitempty"`
	// Compare says when the responses to a request and to its copy are equal.
	// +optional
	Compare *Comparison `json:"compare,omitempty"`
	// Plan increases the weight step by step, as long as the canary is as good as the published version.
	// +optional
	Plan *CanaryPlan `json:"plan,omitempty"`
	// Paused keeps the present weight: the plan does not go on until it is false.
	// +optional
	Paused bool `json:"paused,omitempty"`
	// Resume lets a plan that has paused by itself go on when it changes to another text, such as the
	// current time: its present step begins anew.
	// +kubebuilder:validation:MaxLength=64
	// +optional
	Resume string `json:"resume,omitempty"`
}

// MetadataName names metadata of a request: a header, in gRPC and HTTP alike.
type MetadataName struct {
	// Metadata is the name, in lower case.
	// +kubebuilder:validation:MaxLength=128
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-_.a-z0-9]*[a-z0-9])?$`
	Metadata string `json:"metadata"`
}

// MetadataMatch is a condition on a request's metadata: the name has this value.
type MetadataMatch struct {
	MetadataName `json:",inline"`
	// Value is the value, exactly.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	Value string `json:"value"`
}

// Comparison says when two responses are equal.
type Comparison struct {
	// Ignore lists fields that may differ, each by its path of field names: "price.currency".
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MaxLength=256
	// +kubebuilder:validation:items:Pattern=`^[A-Za-z_][A-Za-z0-9_]*([.][A-Za-z0-9_]+){0,15}$`
	// +listType=atomic
	// +optional
	Ignore []string `json:"ignore,omitempty"`
	// Tolerance is by how much floating-point numbers may differ, relative to the larger: "0.1%".
	// Default: they must be equal.
	// +kubebuilder:validation:Pattern=`^[0-9]{1,3}(\.[0-9]{1,6})?%$`
	// +optional
	Tolerance string `json:"tolerance,omitempty"`
}

// CanaryPlan walks a canary to its promotion. The weight in force is in the status; the spec stays
// what the user wrote until the canary is promoted: then publishedVersion names it, and canary is empty.
type CanaryPlan struct {
	// Steps are the weights, in order.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=20
	// +listType=atomic
	Steps []CanaryStep `json:"steps"`
	// MinRequests is how many requests each side must have had in a step before it is judged. Default 100.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000000
	// +kubebuilder:default=100
	// +optional
	MinRequests int32 `json:"minRequests,omitempty"`
	// Limits say how much worse the canary may be.
	// +optional
	Limits CanaryLimits `json:"limits,omitzero"`
	// OnFailure says what to do when a limit is exceeded. Default Rollback.
	// +kubebuilder:validation:Enum=Rollback;Pause
	// +kubebuilder:default=Rollback
	// +optional
	OnFailure string `json:"onFailure,omitempty"`
	// OnSuccess says what to do after the last step: Promote, or Pause until a person decides, as where
	// the Runtime is kept in a repository. Default Promote.
	// +kubebuilder:validation:Enum=Promote;Pause
	// +kubebuilder:default=Promote
	// +optional
	OnSuccess string `json:"onSuccess,omitempty"`
	// WaitLimit is how long a step may wait for enough requests, from 1s to 720h; then the plan pauses. Default 2h.
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]+([.][0-9]+)?(ms|s|m|h))+$') && duration(self) >= duration('1s') && duration(self) <= duration('720h')",message="a limit of waiting is a duration such as 30m or 2h, at least 1s and at most 720h"
	// +kubebuilder:default="2h"
	// +optional
	WaitLimit metav1.Duration `json:"waitLimit,omitzero"`
}

// What a plan does after a limit is exceeded, or after its last step.
const (
	CanaryRollback = "Rollback"
	CanaryPromote  = "Promote"
	CanaryPause    = "Pause"
)

// CanaryStep is a weight for a time.
type CanaryStep struct {
	// Weight is the percentage of requests that the canary gets. It is less than 100, because the published
	// version must get some in each step to be compared with.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=99
	Weight int32 `json:"weight"`
	// For is how long the step lasts at least, from 1s to 720h.
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]+([.][0-9]+)?(ms|s|m|h))+$') && duration(self) >= duration('1s') && duration(self) <= duration('720h')",message="a step lasts a duration such as 10m or 2h, at least 1s and at most 720h"
	For metav1.Duration `json:"for"`
}

// CanaryLimits say how much worse than the published version, in the same time, a canary may be.
// What is not set is not judged.
type CanaryLimits struct {
	// ErrorRatio bounds failed requests; faults of clients do not count.
	// +optional
	ErrorRatio *IncreaseLimit `json:"errorRatio,omitempty"`
	// P95 bounds the 95th percentile of durations.
	// +optional
	P95 *IncreaseLimit `json:"p95,omitempty"`
	// Accuracy bounds how much of the predictions, as saved by ctx.prediction, was right.
	// +optional
	Accuracy *AccuracyLimit `json:"accuracy,omitempty"`
	// Agreement bounds how many responses to mirrored requests were equal.
	// +optional
	Agreement *AgreementLimit `json:"agreement,omitempty"`
	// Query bounds the results of queries to Prometheus; it needs the setting prometheus-url.
	// +kubebuilder:validation:MaxItems=8
	// +listType=map
	// +listMapKey=name
	// +optional
	Query []QueryLimit `json:"query,omitempty"`
}

// IncreaseLimit bounds an increase.
type IncreaseLimit struct {
	// Increase is the largest increase: of a ratio in percentage points, of a duration in percent.
	// +kubebuilder:validation:Pattern=`^[0-9]{1,4}(\.[0-9]{1,3})?%$`
	Increase string `json:"increase"`
}

// AccuracyLimit bounds a decrease of accuracy.
type AccuracyLimit struct {
	// Decrease is the largest decrease, in percentage points.
	// +kubebuilder:validation:Pattern=`^[0-9]{1,2}(\.[0-9]{1,3})?%$`
	Decrease string `json:"decrease"`
	// MinSamples is how many predictions with a true value each side must have. Default 200.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000000
	// +kubebuilder:default=200
	// +optional
	MinSamples int32 `json:"minSamples,omitempty"`
}

// AgreementLimit bounds how many responses are equal.
type AgreementLimit struct {
	// Min is the smallest percentage of equal responses.
	// +kubebuilder:validation:Pattern=`^(100(\.0{1,3})?|[0-9]{1,2}(\.[0-9]{1,3})?)%$`
	Min string `json:"min"`
	// MinSamples is how many pairs of responses there must be. Default 100.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000000
	// +kubebuilder:default=100
	// +optional
	MinSamples int32 `json:"minSamples,omitempty"`
}

// QueryLimit bounds the result of a query in PromQL, which must be one number.
//
// +kubebuilder:validation:XValidation:rule="has(self.min) || has(self.max)",message="a query needs min or max"
type QueryLimit struct {
	// Name is what the status calls it.
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:Pattern=`^[a-zA-Z]([-_a-zA-Z0-9]*[a-zA-Z0-9])?$`
	Name string `json:"name"`
	// Prometheus is the query. $namespace, $published, $canary and $window stand for the names and for
	// how long the step has lasted ("600s").
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=2048
	Prometheus string `json:"prometheus"`
	// Min and Max are decimal numbers: "0.1".
	// +kubebuilder:validation:Pattern=`^-?[0-9]{1,15}(\.[0-9]{1,9})?$`
	// +optional
	Min string `json:"min,omitempty"`
	// +kubebuilder:validation:Pattern=`^-?[0-9]{1,15}(\.[0-9]{1,9})?$`
	// +optional
	Max string `json:"max,omitempty"`
}
