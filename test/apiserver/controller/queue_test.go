package controller

import (
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/queue"
	queueclient "krt.dev/kn-krt/pkg/queue/client"
	"krt.dev/kn-krt/test/apiserver"
	"krt.dev/kn-krt/test/apiserver/pretend"
	"krt.dev/kn-krt/test/jetstream"
)

func durable(v *v1alpha1.Version) { v.Spec.Entrypoint.Delivery = v1alpha1.DeliveryDurable }

// A version that stops takes its stream along once that is empty, and leaves it with what waits in it.
func TestStreamOfAStoppedVersion(t *testing.T) {
	apiserver.Need(t)
	settings := queue.Settings{URL: jetstream.Start(t, jetstream.Options(t.TempDir(), -1)).ClientURL()}
	c, err := newCluster(t.Context(), apiserver.For(t, apiserver.OurCRDs, apiserver.KnativeCRDs()))
	require.NoError(t, err)
	players, err := pretend.New(c.Config())
	require.NoError(t, err)
	stop := apiserver.Run(players)
	t.Cleanup(func() { require.NoError(t, stop()) })
	p := newPlace(t, c)
	config := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "config-krt", Namespace: "krt-system"}}
	require.NoError(p, p.Patch(p.Context(), config, client.RawPatch("application/merge-patch+json", []byte(`{"data": {"queue-url": "`+settings.URL+`"}}`))))
	c.start(t)

	step := queue.Step{Workflow: "greeting", Index: 0, Node: "node"}
	own, err := queueclient.Connect(settings, queueclient.Options{
		Namespace: p.namespace, Version: "kept", Steps: []queue.Step{step}, Logger: slog.New(slog.DiscardHandler),
	})
	require.NoError(t, err)
	t.Cleanup(own.Close)
	accept := func(id string) {
		p.Helper()
		require.True(p, p.soon(func() bool { return own.Ensure(p.Context()) == nil }))
		require.NoError(p, own.Publish(p.Context(), queueclient.Message{Step: step, ID: id, Header: http.Header{}}))
	}
	found := func() *queue.Status {
		p.Helper()
		s, err := own.Find(p.Context(), p.namespace, "kept")
		require.NoError(p, err)
		return s
	}
	p.version("kept", durable)
	p.started("kept")
	accept("1")
	p.ask("kept", v1alpha1.StateStopped)
	p.until("kept", func(v *v1alpha1.Version) bool {
		ready := v.Status.Condition(v1alpha1.ConditionReady)
		return strings.Contains(ready.Message, "1 event is left in its queue")
	})
	_, err = own.Drop(p.Context(), step)
	require.NoError(t, err)
	p.phase("kept", v1alpha1.PhaseStopped)
	require.Nil(t, found())

	p.ask("kept", v1alpha1.StateStarted)
	p.started("kept")
	own.Forget()
	accept("2")
	v := &v1alpha1.Version{}
	require.True(p, p.read("kept", v))
	p.patch(v, `{"metadata": {"annotations": {"krt.dev/stop": "now"}}, "spec": {"state": "Stopped"}}`)
	p.phase("kept", v1alpha1.PhaseStopped)
	require.EqualValues(t, 1, found().Events)
}
