package controller

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

func TestObserveConfig(t *testing.T) {
	const missing = `no value in Secret "v-config" for `
	for _, tt := range []struct {
		name            string
		data            map[string]string
		status          metav1.ConditionStatus
		reason, message string
	}{
		{"every value", map[string]string{"CURRENCY": "EUR", "CERT": "x"}, metav1.ConditionTrue, v1alpha1.ReasonReady, ""},
		{"no Secret", nil, metav1.ConditionFalse, v1alpha1.ReasonConfigMissing,
			missing + `"CERT", "CURRENCY"; set it: kn krt config v -n ns --set-from-file CERT=PATH --set CURRENCY=VALUE`},
		{"an empty variable is none, an empty file is one", map[string]string{"CURRENCY": "", "CERT": ""}, metav1.ConditionFalse, v1alpha1.ReasonConfigMissing,
			missing + `"CURRENCY"; set it: kn krt config v -n ns --set CURRENCY=VALUE`},
		{"keys that nobody declares", map[string]string{"CURRENCY": "EUR", "CERT": "x", "CURENCY": "USD"}, metav1.ConditionTrue, v1alpha1.ReasonUnknownKeys,
			`Secret "v-config" has keys that the version does not declare: "CURENCY"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			v := testVersion()
			v.Spec.Config = v1alpha1.Config{Variables: []string{"CURRENCY"}, Files: []string{"CERT"}}
			state := observeConfig(v.Spec.Config, secretOf(tt.data))
			state.mark(v)
			c := v.Status.Condition(v1alpha1.ConditionConfigReady)
			require.Equal(t, []string{string(tt.status), tt.reason, tt.message}, []string{string(c.Status), c.Reason, c.Message})
			require.Equal(t, tt.status == metav1.ConditionTrue, state.ready)
			require.Equal(t, state.ready, state.hash != "", "what is incomplete has no hash")
		})
	}
}

func TestWhatASecretHasIsLookedAtOnce(t *testing.T) {
	var c configs
	v := testVersion()
	v.UID, v.Generation, v.Spec.Config.Variables = "1", 1, []string{"CURRENCY"}
	secret := secretOf(map[string]string{"CURRENCY": "EUR"})
	secret.UID, secret.ResourceVersion = "2", "3"
	first := c.of(v, secret)
	require.Equal(t, "pays in ***", first.mask.hide("pays in EUR"))
	secret.Data["CURRENCY"] = []byte("USD") // which cannot be, for an object in a cache does not change
	require.Equal(t, first.hash, c.of(v, secret).hash, "the same Secret is not read again")
	require.Same(t, &first.mask.short[0], &c.of(v, secret).mask.short[0])

	secret.ResourceVersion = "4"
	changed := c.of(v, secret)
	require.NotEqual(t, first.hash, changed.hash)
	require.Equal(t, "pays in ***", changed.mask.hide("pays in USD"))
	require.False(t, c.of(v, nil).ready)
	require.True(t, c.of(v, secret).ready)
	v.Generation, v.Spec.Config.Variables = 2, []string{"OTHER"}
	require.Equal(t, []string{"OTHER"}, c.of(v, secret).missing)

	c.keep(map[types.UID]bool{"1": true})
	require.Len(t, c.known, 1)
	c.keep(map[types.UID]bool{"5": true})
	require.Empty(t, c.known, "the version is gone")
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

func TestConfigHash(t *testing.T) {
	hash := func(declared []string, values map[string]string) string {
		return configHash(declared, secretOf(values).Data)
	}
	same := hash([]string{"A", "B"}, map[string]string{"A": "1", "B": "2"})
	require.Equal(t, same, hash([]string{"B", "A"}, map[string]string{"A": "1", "B": "2", "OTHER": "3"}), "only declared values count, in any order")
	require.NotEqual(t, same, hash([]string{"A", "B"}, map[string]string{"A": "1", "B": "3"}))
	require.NotEqual(t, hash([]string{"A", "B"}, map[string]string{"A": "1B2"}), hash([]string{"A", "B"}, map[string]string{"A": "1", "B": "2"}))
	require.Empty(t, hash(nil, map[string]string{"A": "1"}), "what is not declared rolls nothing")
}

func TestMissingFlags(t *testing.T) {
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
		{"one is disabled by name", gpuPod(), map[string]string{render.FlagNodeSelector: "disabled", render.FlagTolerations: "enabled"}, both[:1]},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := &servingv1.Service{}
			s.Spec.Template.Spec.PodSpec = tt.pod
			require.Equal(t, tt.want, missingFlags(s, tt.features))
		})
	}
}

func gpuPod() corev1.PodSpec {
	return corev1.PodSpec{NodeSelector: map[string]string{"gpu": "true"}, Tolerations: []corev1.Toleration{{Key: "gpu"}}}
}
