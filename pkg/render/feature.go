package render

import (
	"fmt"
	"strings"
)

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

// GPUFeatures returns both.
func GPUFeatures() []string { return []string{FlagNodeSelector, FlagTolerations} }

// EnableFeatures returns the command that enables flags, for hints.
func EnableFeatures(flags []string) string {
	enabled := make([]string, len(flags))
	for i, flag := range flags {
		enabled[i] = fmt.Sprintf("%q:%q", flag, "enabled")
	}
	return fmt.Sprintf("kubectl patch configmap %s -n %s --type merge -p '{\"data\":{%s}}'",
		FeaturesName, FeaturesNamespace, strings.Join(enabled, ","))
}

// FlagOn reports whether Knative's webhook takes what a flag of this text is about.
func FlagOn(text string) bool {
	return strings.EqualFold(text, "enabled") || strings.EqualFold(text, "allowed")
}
