package cluster_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"krt.dev/kn-krt/pkg/cluster"
	"krt.dev/kn-krt/pkg/cluster/logs"
	"krt.dev/kn-krt/pkg/logline"
	"krt.dev/kn-krt/pkg/render"
	"krt.dev/kn-krt/test/apiserver"
)

// The rights that doctor asks for are all that are needed.
func TestUserRights(t *testing.T) {
	c := newClient(t)
	ctx := bounded(t)
	config := server.AsUser("user-of-" + c.Namespace())
	user, err := cluster.New(config, c.Namespace())
	require.NoError(t, err)
	missing, err := user.Missing(ctx, cluster.UserRights())
	require.NoError(t, err)
	require.Equal(t, cluster.UserRights(), missing)
	_, err = user.Logs(ctx, "one", logs.Query{}, logs.Handler{})
	failedWith(t, cluster.ReasonForbidden, err)

	apiserver.Allow(t, admin, config, c.Namespace(), cluster.UserRights()...)
	use(t, user)
	missing, err = user.Missing(ctx, []cluster.Right{{Verb: "list", Resource: "secrets"}, {Verb: "get", Resource: "pods", Subresource: "log"}})
	require.NoError(t, err)
	require.Equal(t, []cluster.Right{{Verb: "list", Resource: "secrets"}}, missing)
}

// use does all that a user can do.
func use(t *testing.T, user *cluster.Client) {
	t.Helper()
	ctx := bounded(t)
	require.NoError(t, user.Create(ctx, newVersion(user, "one"), values()))
	_, err := user.Start(ctx, "one", "")
	require.NoError(t, err)
	mark(t, user, "one", started)
	require.NoError(t, user.Wait(ctx, "one", cluster.GoalStarted, cluster.WaitOptions{Timeout: patience}))
	_, err = user.Publish(ctx, "one", "")
	require.NoError(t, err)
	published(t, user)
	require.NoError(t, user.Wait(ctx, "one", cluster.GoalPublished, cluster.WaitOptions{Timeout: patience}))
	_, err = user.Events(ctx, "one")
	require.NoError(t, err)
	_, err = user.SetConfig(ctx, "one", values(), nil)
	require.NoError(t, err)
	followOne(t, user)
	_, err = user.Forward(ctx, "one", cluster.GRPCPort)
	var unavailable *cluster.UnavailableError
	require.ErrorAs(t, err, &unavailable)
	require.NoError(t, user.Unpublish(ctx, "one", ""))
	published(t, user)
	_, err = user.Stop(ctx, "one", "")
	require.NoError(t, err)
	mark(t, user, "one", stopped)
	require.NoError(t, user.Wait(ctx, "one", cluster.GoalStopped, cluster.WaitOptions{Timeout: patience}))
	require.NoError(t, user.Delete(ctx, "one"))
	require.NoError(t, user.DeleteConfig(ctx, "one"))
}

// followOne follows logs until that of a pod, which starts meanwhile on a machine without a
// kubelet, cannot be read.
func followOne(t *testing.T, user *cluster.Client) {
	t.Helper()
	ctx, cancel := context.WithCancel(bounded(t))
	defer cancel()
	failed := make(chan *logs.Error, 100)
	ended := make(chan error, 1)
	go func() {
		ended <- user.FollowLogs(ctx, "one", logs.Query{}, logs.Handler{
			Line: func(logline.Line) {}, Failed: func(e *logs.Error) { failed <- e },
		})
	}()
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{
		Name: "one-etl-1", Namespace: user.Namespace(), Labels: map[string]string{render.LabelVersion: "one", render.LabelNode: "etl"},
	}}
	machine := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: user.Namespace()}}
	require.NoError(t, admin.Create(ctx, machine))
	machine.Status.Addresses = []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: "127.0.0.1"}}
	machine.Status.DaemonEndpoints.KubeletEndpoint.Port = 1
	require.NoError(t, admin.Status().Update(ctx, machine))
	pod.Spec.NodeName = machine.Name
	pod.Spec.Containers = []corev1.Container{{Name: "user-container", Image: "localhost:5000/etl"}}
	require.NoError(t, admin.Create(ctx, pod))
	pod.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "user-container", State: corev1.ContainerState{
		Running: &corev1.ContainerStateRunning{},
	}}}
	require.NoError(t, admin.Status().Update(ctx, pod))
	select {
	case e := <-failed:
		require.Equal(t, "one-etl-1", e.Pod)
		require.True(t, e.Retrying)
	case err := <-ended:
		require.NoError(t, err)
	}
	cancel()
	require.ErrorIs(t, <-ended, context.Canceled)
	require.NoError(t, admin.Delete(t.Context(), pod, client.GracePeriodSeconds(0)))
}
