package version

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/render"
)

// disabledFeatures are the flags that are off and without which Knative's webhook refuses
// the object, a Knative Service.
func disabledFeatures(o render.Object, features map[string]string) (disabled []string) {
	s, ok := o.(*servingv1.Service)
	if !ok {
		return nil
	}
	pod := s.Spec.Template.Spec.PodSpec
	for _, need := range []struct {
		flag string
		used bool
	}{
		{render.FlagNodeSelector, len(pod.NodeSelector) > 0},
		{render.FlagTolerations, len(pod.Tolerations) > 0},
	} {
		if need.used && !render.FlagOn(features[need.flag]) {
			disabled = append(disabled, need.flag)
		}
	}
	return disabled
}

// features are Knative's flags; none if the ConfigMap does not exist.
func features(ctx context.Context, c client.Reader) (map[string]string, error) {
	return knativeConfig(ctx, c, render.FeaturesName)
}

// knativeConfig is the data of a ConfigMap of Knative Serving; none if it does not exist.
func knativeConfig(ctx context.Context, c client.Reader, name string) (map[string]string, error) {
	var config corev1.ConfigMap
	err := c.Get(ctx, types.NamespacedName{Namespace: render.FeaturesNamespace, Name: name}, &config)
	return config.Data, client.IgnoreNotFound(err)
}

// encrypts reports whether Knative encrypts what a version's entrypoint could send to pods past it.
func (r *reconciler) encrypts(ctx context.Context, v *v1alpha1.Version) (bool, error) {
	if v.Delivery() == v1alpha1.DeliverySequence {
		return false, nil
	}
	network, err := knativeConfig(ctx, r.client, render.NetworkName)
	return render.Encrypts(network), err
}
