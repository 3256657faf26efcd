package cluster_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"krt.dev/kn-krt/pkg/cluster"
	"krt.dev/kn-krt/pkg/inspection"
	"krt.dev/kn-krt/pkg/render"
	"krt.dev/kn-krt/test/apiserver"
)

// Requests with their messages are read by who may forward ports to pods, and by nobody else.
func TestRequestsTakeTheRightToForwardPorts(t *testing.T) {
	c := newClient(t)
	ctx := bounded(t)
	require.NoError(t, c.Create(ctx, newVersion(c, "one"), values()))
	readyEntrypoint(t, c.Namespace())

	config := server.AsUser("reader-of-" + c.Namespace())
	user, err := cluster.New(config, c.Namespace())
	require.NoError(t, err)
	rights := slices.DeleteFunc(cluster.UserRights(), func(r cluster.Right) bool { return r.Subresource == "portforward" })
	apiserver.Allow(t, admin, config, c.Namespace(), rights...)
	_, err = user.Requests("one", nil).List(ctx, inspection.Filter{})
	require.Contains(t, failedWith(t, cluster.ReasonForbidden, err).Err.Error(), `cannot create resource "pods/portforward"`)
	_, err = user.Requests("one", nil).Get(ctx, "1")
	failedWith(t, cluster.ReasonForbidden, err)
	failedWith(t, cluster.ReasonForbidden, user.Requests("one", nil).Follow(ctx, inspection.Filter{}, nil))

	// With the right the pod is named that cannot be reached: it is on a machine without a kubelet.
	_, err = c.Requests("one", nil).List(ctx, inspection.Filter{})
	var unreachable *cluster.ReplicaError
	require.ErrorAs(t, err, &unreachable)
	require.Equal(t, "one-entrypoint-1", unreachable.Pod)
	require.False(t, unreachable.Older)
}

// readyEntrypoint makes a pod that is ready, on a machine without a kubelet.
func readyEntrypoint(t *testing.T, namespace string) {
	t.Helper()
	machine := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: namespace}}
	require.NoError(t, admin.Create(t.Context(), machine))
	machine.Status.Addresses = []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: "127.0.0.1"}}
	machine.Status.DaemonEndpoints.KubeletEndpoint.Port = 1
	require.NoError(t, admin.Status().Update(t.Context(), machine))
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{
		Name: "one-entrypoint-1", Namespace: namespace, Labels: map[string]string{render.LabelVersionName: render.EntrypointName("one")},
	}}
	pod.Spec.NodeName = machine.Name
	pod.Spec.Containers = []corev1.Container{{Name: "entrypoint", Image: "localhost:5000/entrypoint"}}
	require.NoError(t, admin.Create(t.Context(), pod))
	pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
	require.NoError(t, admin.Status().Update(t.Context(), pod))
}
