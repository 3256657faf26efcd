package version

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"krt.dev/kn-krt/pkg/render"
)

// missingFlags are the flags without which Knative's webhook refuses the Service.
func missingFlags(s *servingv1.Service, features map[string]string) (missing []string) {
	pod := s.Spec.Template.Spec.PodSpec
	for _, need := range []struct {
		flag string
		used bool
	}{
		{render.FlagNodeSelector, len(pod.NodeSelector) > 0},
		{render.FlagTolerations, len(pod.Tolerations) > 0},
	} {
		if need.used && !render.FlagOn(features[need.flag]) {
			missing = append(missing, need.flag)
		}
	}
	return missing
}

// features are Knative's flags; none where the ConfigMap is missing.
func features(ctx context.Context, c client.Reader) (map[string]string, error) {
	var config corev1.ConfigMap
	err := c.Get(ctx, types.NamespacedName{Namespace: render.FeaturesNamespace, Name: render.FeaturesName}, &config)
	return config.Data, client.IgnoreNotFound(err)
}
