package runtime

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/test/apiserver/pretend"
)

// asleep has the node of a version start when it is asked to, once wake is called.
func (p *place) asleep(version string) (asked <-chan struct{}, wake func()) {
	p.Helper()
	got, awake := make(chan struct{}, 1000), make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		got <- struct{}{}
		select {
		case <-awake:
		case <-r.Context().Done():
		}
	}))
	p.Cleanup(server.Close)
	entrypoints.servers.Store(version+"-node."+p.namespace+".svc.cluster.local:80", server.Listener.Addr().String())
	p.Cleanup(func() {
		select {
		case <-awake:
		default:
			close(awake)
		}
	})
	return got, func() { close(awake) }
}

func TestAVersionIsPublishedOnceItsNodesAreUp(t *testing.T) {
	p := newPlace(t)
	p.version("a", "example.com/a")
	p.publish("a", "") // without a node that can be reached
	p.published("a")
	p.event("NotWarm", `version "a" gets requests although nodes are not up, so that the first may wait for them: node (connection refused)`)

	asked, wake := p.asleep("b")
	p.ready(p.version("b", "example.com/b"))
	p.publish("b", "")
	<-asked
	p.until("waiting for the node", func(rt *v1alpha1.Runtime) bool {
		c := rt.Status.Condition(v1alpha1.ConditionReady)
		return c.Reason == v1alpha1.ReasonPublishing && c.Message == `nodes of version "b" are being woken: node`
	})
	require.Equal(t, "a-entrypoint", p.selected())
	wake()
	p.published("b")
}

// Whoever rolls back what is broken does not wait for nodes.
func TestARollbackFromABrokenVersionDoesNotWaitForNodes(t *testing.T) {
	p := newPlace(t)
	broken := p.version("b", "example.com/"+pretend.Broken)
	p.mended("b-node", true)
	p.ready(broken)
	p.publish("b", "")
	p.published("b")
	asked, _ := p.asleep("a")
	p.ready(p.version("a", "example.com/a"))
	p.mended("b-node", false)
	require.True(t, p.soon(func() bool {
		require.NoError(t, cluster.Get(t.Context(), client.ObjectKeyFromObject(broken), broken))
		ready := broken.Status.Condition(v1alpha1.ConditionReady)
		return ready != nil && ready.Status == metav1.ConditionFalse
	}), "%+v", broken.Status)
	p.publish("a", "")
	p.published("a")
	<-asked // it is woken all the same
	p.event("NotWarm", `version "a" gets requests although nodes are not up, so that the first may wait for them: node`)
}

// mended has a node whose image is broken work, or not any more.
func (p *place) mended(service string, works bool) {
	p.Helper()
	value := "null"
	if works {
		value = `"yes"`
	}
	patch := client.RawPatch("application/merge-patch+json", []byte(`{"metadata": {"annotations": {"`+pretend.Mended+`": `+value+`}}}`))
	s := &servingv1.Service{ObjectMeta: metav1.ObjectMeta{Name: service, Namespace: p.namespace}}
	require.True(p, p.soon(func() bool {
		err := cluster.Patch(p.Context(), s, patch)
		require.NoError(p, client.IgnoreNotFound(err))
		return err == nil
	}), "there is no %q", service)
}

func TestACanaryGetsRequestsOnceItsNodesAreUp(t *testing.T) {
	p := newPlace(t)
	p.version("a", "example.com/a")
	p.publish("a", "")
	p.published("a")
	asked, wake := p.asleep("b")
	p.ready(p.version("b", "example.com/b"))
	p.spec(`{"canary": {"version": "b", "weight": 10}}`)
	<-asked
	p.until("waiting for the node of its canary", func(rt *v1alpha1.Runtime) bool {
		c := rt.Status.Canary
		return c != nil && c.Phase == v1alpha1.CanaryWaiting && strings.Contains(c.Message, `nodes of version "b" are being woken: node`)
	})
	require.Nil(t, p.file("a"))
	wake()
	p.canary(v1alpha1.CanaryServing, "")
	require.EqualValues(t, 10, p.file("a").Canary.Weight)
}

func TestAVersionThatDoesNotWarmUpIsPublishedAtOnce(t *testing.T) {
	p := newPlace(t)
	asked, _ := p.asleep("a")
	v := &v1alpha1.Version{ObjectMeta: metav1.ObjectMeta{Name: "a", Namespace: p.namespace}, Spec: v1alpha1.VersionSpec{
		State: v1alpha1.StateStarted,
		Entrypoint: v1alpha1.Entrypoint{Proto: "p.proto", Files: []v1alpha1.ProtoFile{{Path: "p.proto", Content: proto}},
			WarmUp: new(false)},
		Nodes:     []v1alpha1.Node{{Name: "node", Image: "example.com/a"}},
		Workflows: []v1alpha1.Workflow{{Name: "greeting", Entrypoint: "Greet", Sequential: []string{"node"}}},
	}}
	require.NoError(t, cluster.Create(t.Context(), v))
	p.publish("a", "")
	p.published("a")
	require.Empty(t, asked)
}

// The annotation keeps nodes up, and the status says how far that is.
func TestAVersionIsKeptWarm(t *testing.T) {
	p := newPlace(t)
	asked, wake := p.asleep("a")
	v := p.version("a", "example.com/a")
	p.ready(v)
	until := time.Now().Add(time.Hour).UTC().Truncate(time.Second)
	p.change(v, `{"metadata": {"annotations": {"krt.dev/warm-until": "`+until.Format(time.RFC3339)+`"}}}`)
	warm := func(what string, ok func(*v1alpha1.Warm) bool) {
		t.Helper()
		require.True(t, p.soon(func() bool {
			require.NoError(t, cluster.Get(t.Context(), client.ObjectKeyFromObject(v), v))
			return ok(v.Status.Warm)
		}), "%s: %+v", what, v.Status)
	}
	warm("it is being woken", func(w *v1alpha1.Warm) bool {
		return w != nil && w.Until.Time.Equal(until) && len(w.Waiting) == 1 && w.Waiting[0] == "node"
	})
	<-asked
	wake()
	warm("it is up", func(w *v1alpha1.Warm) bool { return w != nil && len(w.Waiting) == 0 })
	<-asked // again, so that it stays up
	p.change(v, `{"metadata": {"annotations": {"krt.dev/warm-until": "2026-01-01T00:00:00Z"}}}`)
	warm("the time is over", func(w *v1alpha1.Warm) bool { return w == nil })
}

// A time that cannot be used is reported, and wakes nothing.
func TestATimeThatCannotBeUsedIsReported(t *testing.T) {
	p := newPlace(t)
	asked, _ := p.asleep("a")
	v := p.version("a", "example.com/a")
	p.ready(v)
	for text, want := range map[string]string{
		"tomorrow":             `krt.dev/warm-until: "tomorrow" is not a time such as "`,
		"2999-01-01T00:00:00Z": `krt.dev/warm-until: 2999-01-01T00:00:00Z is more than 168 hours ahead`,
	} {
		p.change(v, `{"metadata": {"annotations": {"krt.dev/warm-until": "`+text+`"}}}`)
		require.True(t, p.soon(func() bool {
			require.NoError(t, cluster.Get(t.Context(), client.ObjectKeyFromObject(v), v))
			return v.Status.Warm != nil && strings.Contains(v.Status.Warm.Message, want)
		}), "%+v", v.Status.Warm)
		require.True(t, v.Status.Warm.Until.IsZero())
	}
	p.change(v, `{"metadata": {"annotations": {"krt.dev/warm-until": null}}}`)
	require.True(t, p.soon(func() bool {
		v = &v1alpha1.Version{ObjectMeta: v.ObjectMeta}
		require.NoError(t, cluster.Get(t.Context(), client.ObjectKeyFromObject(v), v))
		return v.Status.Warm == nil
	}))
	require.Empty(t, asked)
}
