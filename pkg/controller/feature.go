package controller

import (
	"context"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Knative's feature flags, off by default, that pods on GPU nodes need.
const (
	flagNodeSelector = "kubernetes.podspec-nodeselector"
	flagTolerations  = "kubernetes.podspec-tolerations"
)

// missingFlags are the flags without which Knative's webhook refuses the Service.
// It takes what is "enabled" or "allowed", whatever their case.
func missingFlags(s *servingv1.Service, features map[string]string) (missing []string) {
	pod := s.Spec.Template.Spec.PodSpec
	for _, need := range []struct {
		flag string
		used bool
	}{
		{flagNodeSelector, len(pod.NodeSelector) > 0},
		{flagTolerations, len(pod.Tolerations) > 0},
	} {
		value := features[need.flag]
		if need.used && !strings.EqualFold(value, "enabled") && !strings.EqualFold(value, "allowed") {
			missing = append(missing, need.flag)
		}
	}
	return missing
}

// features are Knative's flags; none where the ConfigMap is missing.
func features(ctx context.Context, c client.Reader) (map[string]string, error) {
	var config corev1.ConfigMap
	err := c.Get(ctx, types.NamespacedName{Namespace: servingNamespace, Name: featuresName}, &config)
	return config.Data, client.IgnoreNotFound(err)
}
