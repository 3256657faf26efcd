// Package v1alpha1 holds the two kinds of kn-krt: Version, one KRT V1 version in
// a namespace, and Runtime, which selects the version of a namespace that is published.
//
// +kubebuilder:object:generate=true
// +groupName=krt.dev
package v1alpha1
