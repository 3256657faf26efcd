package controller

import (
	"testing"

	"github.com/stretchr/testify/require"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/test/apiserver"
	"krt.dev/kn-krt/test/apiserver/pretend"
)

// TestBareCluster begins on a cluster without Knative, where nobody has given the
// controller the right to read Secrets.
func TestBareCluster(t *testing.T) {
	ctx := t.Context()
	bare, err := newCluster(ctx, apiserver.For(t, apiserver.OurCRDs))
	require.NoError(t, err)
	binding := &rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: "krt-controller-secrets"}}
	require.NoError(t, bare.Delete(ctx, binding))
	ours := bare.start(t)
	defer ours.stop()
	p, other := newPlace(t, bare), newPlace(t, bare)

	p.version("v")
	other.version("v")
	require.Equal(t, `the controller is not allowed to read Secrets in namespace "`+p.namespace+`"; allow it: kubectl create rolebinding `+
		`krt-controller-secrets -n `+
		p.namespace+` --clusterrole krt-controller-secrets --serviceaccount krt-system:krt-controller`, p.failed("v",
		v1alpha1.ReasonConfigUnreadable))
	v := p.until("v", func(v *v1alpha1.Version) bool {
		return v.Status.Condition(v1alpha1.ConditionNodesReady).Reason == v1alpha1.ReasonServingMissing
	})
	require.Equal(t, v1alpha1.ReasonEventingMissing, v.Status.Condition(v1alpha1.ConditionWorkflowsReady).Reason)

	require.NoError(t, p.Create(ctx, &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "krt-controller-secrets", Namespace: p.namespace},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "krt-controller-secrets"},
		Subjects:   []rbacv1.Subject{{Kind: "ServiceAccount", Namespace: "krt-system", Name: "krt-controller"}},
	}))
	require.Equal(t, `node "node": Knative Serving is not installed; see what is missing: kn krt doctor`,
		p.failed("v", v1alpha1.ReasonServingMissing))

	require.NoError(t, bare.InstallCRDs(ctx, apiserver.KnativeCRDs()))
	players, err := pretend.New(bare.Config())
	require.NoError(t, err)
	stop := apiserver.Run(players)
	defer func() { require.NoError(t, stop()) }()
	p.started("v")
	other.failed("v", v1alpha1.ReasonConfigUnreadable)
}
