package scripts

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"krt.dev/kn-krt/pkg/cli"
	"krt.dev/kn-krt/pkg/cli/term"
	"krt.dev/kn-krt/pkg/render"
	"krt.dev/kn-krt/test/apiserver"
)

// Who lacks rights is named in the command that an administrator gives them with.
func TestDoctorSaysWhoNeedsRights(t *testing.T) {
	server := apiserver.For(t, apiserver.OurCRDs)
	for user, subject := range map[string]string{"nobody": "--user=nobody", "system:serviceaccount:ci:bot": "--serviceaccount=ci:bot"} {
		var out strings.Builder
		words := []string{"kn-krt", "--kubeconfig", server.Kubeconfig, "doctor", "-n", "team", "--as", user}
		cli.Main(t.Context(), words, term.Streams{Out: &out, Err: &out})
		require.Contains(t, out.String(), "kubectl -n team create rolebinding kn-krt-users --clusterrole=edit "+subject+"\n")
	}
}

// A flag of Knative's may be "enabled" or "allowed": its webhook takes both.
func TestDoctorReadsFlagsAsKnativeDoes(t *testing.T) {
	server := apiserver.For(t, apiserver.OurCRDs, apiserver.KnativeCRDs())
	c, err := server.NewClient()
	require.NoError(t, err)
	require.NoError(t, c.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "knative-serving"}}))
	flags := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "config-features", Namespace: "knative-serving"}}
	require.NoError(t, c.Create(t.Context(), flags))
	for _, test := range []struct{ selector, tolerations, want string }{
		{"allowed", "Enabled", "++ features"},
		{"Allowed", "allowed", "++ features"},
		{"allowed", "disabled", "disabled in Knative: kubernetes.podspec-tolerations"},
	} {
		flags.Data = map[string]string{render.FlagNodeSelector: test.selector, render.FlagTolerations: test.tolerations}
		require.NoError(t, c.Update(t.Context(), flags))
		var out strings.Builder
		cli.Main(t.Context(), []string{"kn-krt", "--kubeconfig", server.Kubeconfig, "doctor"}, term.Streams{Out: &out, Err: &out})
		require.Contains(t, out.String(), test.want)
		require.Contains(t, out.String(), " I GPU pools")
		require.Contains(t, out.String(), render.EnableAlwaysSchedulable)
	}
	deployment := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: render.DeploymentName, Namespace: "knative-serving"},
		Data: map[string]string{render.AlwaysSchedulable: "True"}}
	require.NoError(t, c.Create(t.Context(), deployment))
	var out strings.Builder
	cli.Main(t.Context(), []string{"kn-krt", "--kubeconfig", server.Kubeconfig, "doctor"}, term.Streams{Out: &out, Err: &out})
	require.Contains(t, out.String(), "++ GPU pools")
}
