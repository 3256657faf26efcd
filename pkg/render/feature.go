package render

import (
	"fmt"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"
	flowsv1 "knative.dev/eventing/pkg/apis/flows/v1"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"
)

// ServingKind is the kind that a cluster has if Knative Serving is installed.
func ServingKind() schema.GroupVersionKind { return servingv1.SchemeGroupVersion.WithKind("Service") }

// EventingKind is the kind that a cluster has if Knative Eventing is installed.
func EventingKind() schema.GroupVersionKind { return flowsv1.SchemeGroupVersion.WithKind("Sequence") }

// Namespace and name of the ConfigMap with Knative Serving's feature flags, and the names of those
// with its settings for Deployments and for the network.
const (
	FeaturesNamespace = "knative-serving"
	FeaturesName      = "config-features"
	DeploymentName    = "config-deployment"
	NetworkName       = "config-network"
)

// AlwaysSchedulable is a key of Knative's config-deployment: unless it is true, Knative marks a
// Revision as failed as long as no machine can run its pod.
const AlwaysSchedulable = "pod-is-always-schedulable"

// InternalTLS is a key of Knative's config-network: if it is "enabled", all that passes between ingress, activator and
// queue-proxies is encrypted.
const InternalTLS = "system-internal-tls"

// Encrypts reports whether the data of config-network has Knative encrypt that. (knative.dev/networking/pkg/config)
func Encrypts(network map[string]string) bool {
	switch text := network[InternalTLS]; {
	case text == "", strings.EqualFold(text, "disabled"):
		old, _ := strconv.ParseBool(network["internal-encryption"]) // its former name
		return old
	default:
		return strings.EqualFold(text, "enabled")
	}
}

// EnableAlwaysSchedulable is the command that sets it, for hints.
const EnableAlwaysSchedulable = "kubectl patch configmap " + DeploymentName + " -n " + FeaturesNamespace +
	` --type merge -p '{"data":{"` + AlwaysSchedulable + `":"true"}}'`

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
