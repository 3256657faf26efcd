package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// RuntimeName is the only name a Runtime may have: there is one in a namespace.
const RuntimeName = "default"

// Runtime selects the version of its namespace that is published.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=krtr,categories={all,knative,krt}
// +kubebuilder:metadata:labels={"app.kubernetes.io/part-of=kn-krt"}
// +kubebuilder:printcolumn:name="Published",type=string,JSONPath=`.status.publishedVersion`
// +kubebuilder:printcolumn:name="Canary",type=string,JSONPath=`.status.canary.version`
// +kubebuilder:printcolumn:name="Weight",type=integer,JSONPath=`.status.canary.weight`
// +kubebuilder:printcolumn:name="Since",type=date,JSONPath=`.status.since`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Wanted",type=string,priority=1,JSONPath=`.spec.publishedVersion`
// +kubebuilder:validation:XValidation:rule="self.metadata.name == 'default'",message="metadata.name: a namespace has one runtime, and its name is default"
type Runtime struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// +optional
	Spec RuntimeSpec `json:"spec,omitzero"`
	// +optional
	Status RuntimeStatus `json:"status,omitzero"`
}

// RuntimeList is a list of runtimes.
//
// +kubebuilder:object:root=true
type RuntimeList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	Items []Runtime `json:"items"`
}

// RuntimeSpec is the wanted state of a runtime.
//
// +kubebuilder:validation:XValidation:rule="!has(self.canary) || (has(self.publishedVersion) && size(self.publishedVersion) > 0)",message="canary: there is no version beside which it could serve; set publishedVersion"
// +kubebuilder:validation:XValidation:rule="!has(self.canary) || !has(self.publishedVersion) || self.canary.version != self.publishedVersion",message="canary.version: this is the published version itself; name another one"
type RuntimeSpec struct {
	// PublishedVersion is the version that the Service active-entrypoint routes to; empty for none.
	// +kubebuilder:validation:MaxLength=19
	// +kubebuilder:validation:XValidation:rule="self == '' || self.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",message="this is not a version's name: name one of this namespace (kubectl get krtv), or leave it empty to publish none"
	// +optional
	PublishedVersion string `json:"publishedVersion,omitempty"`
	// Comment is the reason for the change; it is kept in status.history.
	// +kubebuilder:validation:MaxLength=1024
	// +optional
	Comment string `json:"comment,omitempty"`
	// Canary is a second version that gets a share of the requests, or copies of them.
	// +optional
	Canary *Canary `json:"canary,omitempty"`
}

// RuntimeStatus is the observed state of a runtime.
type RuntimeStatus struct {
	// ObservedGeneration is the generation of the spec that the status is about.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// Conditions has Ready, whether spec.publishedVersion is published; and Reachable where the settings name a
	// Gateway: whether it accepts the routes to the published version.
	// +listType=map
	// +listMapKey=type
	// +optional
	Conditions []metav1.Condition `json:"conditions,omitempty"`
	// PublishedVersion is the version that active-entrypoint routes to now.
	// +optional
	PublishedVersion string `json:"publishedVersion,omitempty"`
	// Since is when that version was published.
	// +optional
	Since *metav1.Time `json:"since,omitempty"`
	// Canary is the state of spec.canary.
	// +optional
	Canary *CanaryStatus `json:"canary,omitempty"`
	// History has the last 20 publications, the newest last.
	// +kubebuilder:validation:MaxItems=20
	// +listType=atomic
	// +optional
	History []Publication `json:"history,omitempty"`
}

// Publication is a time during which a version was published.
type Publication struct {
	// Version is the version's name.
	Version string `json:"version"`
	// From is when the version was published.
	From metav1.Time `json:"from"`
	// To is when the publication ended; empty while the version is published.
	// +optional
	To *metav1.Time `json:"to,omitempty"`
	// Comment is spec.comment at that time.
	// +optional
	Comment string `json:"comment,omitempty"`
}
