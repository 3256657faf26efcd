package version

import (
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/render"
)

func testVersion() *v1alpha1.Version {
	v := &v1alpha1.Version{ObjectMeta: metav1.ObjectMeta{Name: "v", Namespace: "ns", Generation: 1}}
	v.BeginStatus()
	return v
}

func TestSecretsAreReadOnce(t *testing.T) {
	var c configs
	v := testVersion()
	v.UID, v.Generation, v.Spec.Config.Variables = "1", 1, []string{"CURRENCY"}
	secret := secretOf(map[string]string{"CURRENCY": "EUR"})
	secret.UID, secret.ResourceVersion = "2", "3"
	first := c.of(v, secret)
	require.Equal(t, "pays in ***", first.Mask.Hide("pays in EUR"))
	secret.Data["CURRENCY"] = []byte("USD") // which cannot happen, because an object in a cache does not change
	require.Equal(t, first.Hash, c.of(v, secret).Hash, "the same Secret is not read again")

	secret.ResourceVersion = "4"
	changed := c.of(v, secret)
	require.NotEqual(t, first.Hash, changed.Hash)
	require.Equal(t, "pays in ***", changed.Mask.Hide("pays in USD"))
	require.False(t, c.of(v, nil).Ready)
	require.True(t, c.of(v, secret).Ready)
	v.Generation, v.Spec.Config.Variables = 2, []string{"OTHER"}
	require.Equal(t, []string{"OTHER"}, c.of(v, secret).Missing)

	c.keep(map[types.UID]bool{"1": true})
	require.Len(t, c.values, 1)
	c.keep(map[types.UID]bool{"5": true})
	require.Empty(t, c.values, "the version is gone")
}

func secretOf(values map[string]string) *corev1.Secret {
	if values == nil {
		return nil
	}
	s := &corev1.Secret{Data: map[string][]byte{}}
	for name, value := range values {
		s.Data[name] = []byte(value)
	}
	return s
}

func TestDisabledFeatures(t *testing.T) {
	both := []string{render.FlagNodeSelector, render.FlagTolerations}
	for _, tt := range []struct {
		name     string
		pod      corev1.PodSpec
		features map[string]string
		want     []string
	}{
		{"nothing is needed", corev1.PodSpec{}, nil, nil},
		{"both are off", gpuPod(), nil, both},
		{"both are on", gpuPod(), map[string]string{render.FlagNodeSelector: "enabled", render.FlagTolerations: "Enabled"}, nil},
		{"one is allowed", gpuPod(), map[string]string{render.FlagNodeSelector: "allowed"}, both[1:]},
		{"one is disabled by name", gpuPod(),
			map[string]string{render.FlagNodeSelector: "disabled", render.FlagTolerations: "enabled"}, both[:1]},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := &servingv1.Service{}
			s.Spec.Template.Spec.PodSpec = tt.pod
			require.Equal(t, tt.want, disabledFeatures(s, tt.features))
		})
	}
}

func gpuPod() corev1.PodSpec {
	return corev1.PodSpec{NodeSelector: map[string]string{"gpu": "true"}, Tolerations: []corev1.Toleration{{Key: "gpu"}}}
}
