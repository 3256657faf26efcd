package render

import "strings"

// Namespace and name of the ConfigMap with Knative Serving's feature flags.
const (
	FeaturesNamespace = "knative-serving"
	FeaturesName      = "config-features"
)

// Knative's feature flags, keys of config-features and off by default, that pods on
// nodes with a GPU need.
const (
	FlagNodeSelector = "kubernetes.podspec-nodeselector"
	FlagTolerations  = "kubernetes.podspec-tolerations"
)

// FlagOn reports whether Knative's webhook takes what a flag of this text is about.
func FlagOn(text string) bool {
	return strings.EqualFold(text, "enabled") || strings.EqualFold(text, "allowed")
}
