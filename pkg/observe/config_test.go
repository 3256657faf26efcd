package observe

import (
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
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
		{"an empty variable has no value, an empty file has one", map[string]string{"CURRENCY": "", "CERT": ""},
			metav1.ConditionFalse, v1alpha1.ReasonConfigMissing, missing + `"CURRENCY"; set it: kn krt config v -n ns --set CURRENCY=VALUE`},
		{"keys that are not declared", map[string]string{"CURRENCY": "EUR", "CERT": "x", "CURENCY": "USD"},
			metav1.ConditionTrue, v1alpha1.ReasonUnknownKeys, `Secret "v-config" has keys that the version does not declare: "CURENCY"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			v := testVersion()
			v.Spec.Config = v1alpha1.Config{Variables: []string{"CURRENCY"}, Files: []string{"CERT"}}
			state := ConfigOf(v.Spec.Config, secretOf(tt.data))
			state.Mark(v)
			c := v.Status.Condition(v1alpha1.ConditionConfigReady)
			require.Equal(t, []string{string(tt.status), tt.reason, tt.message}, []string{string(c.Status), c.Reason, c.Message})
			require.Equal(t, tt.status == metav1.ConditionTrue, state.Ready)
			require.Equal(t, state.Ready, state.Hash != "", "what is incomplete has no hash")
		})
	}
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
	require.Equal(t, same, hash([]string{"B", "A"}, map[string]string{"A": "1", "B": "2", "OTHER": "3"}),
		"only declared values count, in any order")
	require.NotEqual(t, same, hash([]string{"A", "B"}, map[string]string{"A": "1", "B": "3"}))
	require.NotEqual(t, hash([]string{"A", "B"}, map[string]string{"A": "1B2"}),
		hash([]string{"A", "B"}, map[string]string{"A": "1", "B": "2"}))
	require.Empty(t, hash(nil, map[string]string{"A": "1"}), "what is not declared rolls nothing")
}
