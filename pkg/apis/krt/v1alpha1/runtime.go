package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// RuntimeName is the only name a Runtime may have: there is one in a namespace.
const RuntimeName = "default"

// Runtime says which version of its namespace is published.
//
// +kubebuilder:object:root=true
type Runtime struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec   RuntimeSpec   `json:"spec,omitempty"`
	Status RuntimeStatus `json:"status,omitempty"`
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
type RuntimeSpec struct {
	// PublishedVersion is the version behind the Service active-entrypoint; empty for none.
	PublishedVersion string `json:"publishedVersion,omitempty"`
	// Comment says why; it is kept in status.history.
	Comment string `json:"comment,omitempty"`
}

// RuntimeStatus is what became of a runtime.
type RuntimeStatus struct {
	ObservedGeneration int64              `json:"observedGeneration,omitempty"`
	Conditions         []metav1.Condition `json:"conditions,omitempty"`
	// PublishedVersion is the version that answers behind active-entrypoint now.
	PublishedVersion string `json:"publishedVersion,omitempty"`
	// Since is when it was published.
	Since *metav1.Time `json:"since,omitempty"`
	// History holds the last 20 publications, the newest last.
	History []Publication `json:"history,omitempty"`
}

// Publication is a time during which a version was published.
type Publication struct {
	Version string      `json:"version"`
	From    metav1.Time `json:"from"`
	// To is empty while it lasts.
	To      *metav1.Time `json:"to,omitempty"`
	Comment string       `json:"comment,omitempty"`
}
