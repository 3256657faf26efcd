package runtime

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/entrypoint/traffic"
)

// spec patches the spec of the runtime.
func (p *place) spec(patch string) {
	p.Helper()
	rt := &v1alpha1.Runtime{ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.RuntimeName, Namespace: p.namespace}}
	text := fmt.Appendf(nil, `{"spec": %s}`, patch)
	require.NoError(p, cluster.Patch(p.Context(), rt, client.RawPatch("application/merge-patch+json", text)))
}

// canary waits until the canary is in a phase for a reason, and returns the runtime.
func (p *place) canary(phase v1alpha1.CanaryPhase, reason string) *v1alpha1.Runtime {
	p.Helper()
	return p.until(fmt.Sprintf("%s for %q", phase, reason), func(rt *v1alpha1.Runtime) bool {
		c := rt.Status.Canary
		return c != nil && c.Phase == phase && c.Reason == reason && rt.Spec.Canary != nil && c.Version == rt.Spec.Canary.Version
	})
}

// file is how a version divides requests: nil if there is no ConfigMap.
func (p *place) file(version string) *traffic.Config {
	p.Helper()
	m := &corev1.ConfigMap{}
	err := cluster.Get(p.Context(), client.ObjectKey{Namespace: p.namespace, Name: version + "-traffic"}, m)
	if apierrors.IsNotFound(err) {
		return nil
	}
	require.NoError(p, err)
	c, err := traffic.Parse([]byte(m.Data["traffic.json"]))
	require.NoError(p, err)
	return &c
}

// pod makes a pod of a version's entrypoint; nothing runs it.
func (p *place) pod(version string) *corev1.Pod {
	p.Helper()
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: version + "-entrypoint-1", Namespace: p.namespace, Labels: map[string]string{
		"type": "entrypoint", "version-name": version + "-entrypoint", "krt.dev/version": version, "app.kubernetes.io/managed-by": "kn-krt",
	}}, Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "entrypoint", Image: "example.com/entrypoint"}}}}
	require.NoError(p, cluster.Create(p.Context(), pod))
	return pod
}

// told is the annotation of a pod.
func (p *place) told(pod *corev1.Pod) string {
	p.Helper()
	require.NoError(p, cluster.Get(p.Context(), client.ObjectKeyFromObject(pod), pod))
	return pod.Annotations["krt.dev/traffic"]
}

// condition is the message of a version's condition Published, after its reason.
func (p *place) condition(version string) string {
	p.Helper()
	v := &v1alpha1.Version{}
	require.NoError(p, cluster.Get(p.Context(), client.ObjectKey{Namespace: p.namespace, Name: version}, v))
	c := v.Status.Condition(v1alpha1.ConditionPublished)
	return c.Reason + ": " + c.Message
}

// event waits for one about the runtime.
func (p *place) event(reason, note string) {
	p.Helper()
	require.True(p, p.soon(func() bool {
		var list eventsv1.EventList
		require.NoError(p, cluster.List(p.Context(), &list, client.InNamespace(p.namespace)))
		for _, e := range list.Items {
			if e.Reason == reason && strings.Contains(e.Note, note) && e.Regarding.Kind == "Runtime" {
				return true
			}
		}
		return false
	}), "there is no event %s: %s", reason, note)
}

// serving makes a place where a is published and b is its canary.
func serving(t *testing.T) *place {
	t.Helper()
	p := newPlace(t)
	p.version("a", "example.com/a")
	p.version("b", "example.com/b")
	p.publish("a", "")
	p.published("a")
	p.spec(`{"canary": {"version": "b", "weight": 10}}`)
	p.canary(v1alpha1.CanaryServing, "")
	return p
}

func TestCanaryGetsItsShare(t *testing.T) {
	p := newPlace(t)
	p.version("a", "example.com/a")
	p.version("b", "example.com/b")
	p.publish("a", "")
	p.published("a")
	pod, other := p.pod("a"), p.pod("b")
	p.spec(`{"canary": {"version": "b", "weight": 10, "mirror": 5, "match": [{"metadata": "x-test", "value": "1"}],
		"sticky": {"metadata": "x-user"}, "compare": {"ignore": ["at"], "tolerance": "0.5%"}}}`)
	rt := p.canary(v1alpha1.CanaryServing, "")
	c := rt.Status.Canary
	require.True(t, c.Receiving)
	require.Equal(t, int32(10), c.Weight)
	require.Equal(t, int32(5), c.Mirror)
	require.Equal(t, `"b" gets from "a": 10 % of the requests, the requests with its metadata, copies of 5 %`, c.Message)
	require.NotNil(t, c.Since)
	host := "b." + p.namespace + ".svc.cluster.local"
	require.Equal(t, &traffic.Config{Canary: &traffic.Canary{Version: "b", GRPC: host + ":9000", Web: host + ":80", Weight: 10, Mirror: 5,
		Match: []traffic.Match{{Metadata: "x-test", Value: "1"}}, Sticky: "x-user", Ignore: []string{"at"}, Tolerance: 0.005}}, p.file("a"))
	m := &corev1.ConfigMap{}
	require.NoError(t, cluster.Get(t.Context(), client.ObjectKey{Namespace: p.namespace, Name: "a-traffic"}, m))
	require.True(t, metav1.IsControlledBy(m, rt))
	var first string
	require.True(t, p.soon(func() bool { first = p.told(pod); return first != "" }))
	require.True(t, p.soon(func() bool {
		return p.condition("b") == `Canary: it is the canary of "a" and gets 10 % of the requests, the requests with its metadata, copies of 5 %`
	}), p.condition("b"))
	p.event("CanaryServing", c.Message)

	p.spec(`{"canary": {"weight": 50, "match": null, "mirror": 0}}`)
	require.True(t, p.soon(func() bool { return p.file("a").Canary.Weight == 50 }))
	require.True(t, p.soon(func() bool { now := p.told(pod); return now != "" && now != first }), "the pod is told at once")
	require.Empty(t, p.told(other))

	// A pod that is new is told, too.
	require.NoError(t, cluster.Delete(t.Context(), pod, client.GracePeriodSeconds(0)))
	pod = p.pod("a")
	require.True(t, p.soon(func() bool { return p.told(pod) != "" }))

	p.spec(`{"canary": null}`)
	p.until("without a canary", func(rt *v1alpha1.Runtime) bool { return rt.Status.Canary == nil })
	require.True(t, p.soon(func() bool { return p.file("a") == nil }))
	require.True(t, p.soon(func() bool { return p.told(pod) == "none" }))
	require.True(t, p.soon(func() bool { return p.condition("b") == "NotPublished: publish it: kn krt publish b -n "+p.namespace }))
	p.event("CanaryEnded", `version "b" is no longer the canary`)
}

func TestCanaryThatGetsNothing(t *testing.T) {
	for name, tt := range map[string]struct {
		prepare       func(p *place)
		phase         v1alpha1.CanaryPhase
		reason, wants string
	}{
		"is not there": {func(p *place) { p.version("bb", "example.com/b") }, v1alpha1.CanaryWaiting, v1alpha1.ReasonVersionNotFound,
			`there is no version "b"; did you mean "bb"? List the versions: kn krt list -n NS`},
		"fails": {func(p *place) { p.version("b", "example.com/broken") }, v1alpha1.CanaryWaiting, v1alpha1.ReasonVersionNotReady,
			`version "b" is not ready: node "node": `},
		"is stopped": {func(p *place) { p.change(p.version("b", "example.com/b"), `{"spec": {"state": "Stopped"}}`) },
			v1alpha1.CanaryWaiting, v1alpha1.ReasonVersionNotReady, `version "b" is not ready: it is stopped; start it: kn krt start b -n NS`},
		"has another contract": {func(p *place) {
			p.versionOf("b", `syntax = "proto3"; service Entrypoint { rpc Greet (N) returns (N); } message N {}`)
		},
			v1alpha1.CanaryRefused, v1alpha1.ReasonContractDiffers,
			`version "b" does not serve the contract of "a": rpc Entrypoint/Greet, request: it is the message N, and was M (and 1 more)`},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlace(t)
			p.version("a", "example.com/a")
			p.publish("a", "")
			p.published("a")
			tt.prepare(p)
			p.spec(`{"canary": {"version": "b", "weight": 10}}`)
			c := p.canary(tt.phase, tt.reason).Status.Canary
			p.until(tt.wants, func(rt *v1alpha1.Runtime) bool {
				return strings.Contains(replace(rt.Status.Canary.Message, p.namespace), tt.wants)
			})
			require.Zero(t, c.Weight)
			require.False(t, c.Receiving)
			require.Nil(t, p.file("a"))
		})
	}
}

// change patches an object.
func (p *place) change(o client.Object, patch string) {
	p.Helper()
	require.NoError(p, cluster.Patch(p.Context(), o, client.RawPatch("application/merge-patch+json", []byte(patch))))
}

// What an older kn-krt has started stays as it is, and cannot divide requests until it is restarted.
func TestVersionsOfAnOlderControllerAreRestartedFirst(t *testing.T) {
	p := newPlace(t)
	a := p.version("a", "example.com/a")
	p.version("b", "example.com/b")
	p.publish("a", "")
	p.published("a")
	text, err := json.Marshal(map[string]any{"status": map[string]any{"startedWith": map[string]any{"traffic": nil}}})
	require.NoError(t, err)
	require.NoError(t, cluster.Status().Patch(t.Context(), a, client.RawPatch("application/merge-patch+json", text)))
	p.spec(`{"canary": {"version": "b", "weight": 10}}`)
	c := p.canary(v1alpha1.CanaryWaiting, v1alpha1.ReasonRestartNeeded).Status.Canary
	require.Equal(t, `version "a" was started by an older kn-krt and cannot divide requests; restart it: kn krt restart a -n NS`,
		replace(c.Message, p.namespace))
	p.change(a, `{"spec": {"restart": "1"}}`)
	p.canary(v1alpha1.CanaryServing, "")
	require.Equal(t, 10, p.file("a").Canary.Weight)
}

func TestPromote(t *testing.T) {
	p := serving(t)
	pod := p.pod("a")
	p.spec(`{"publishedVersion": "b", "canary": null, "comment": "it is good"}`)
	rt := p.published("b")
	require.Nil(t, rt.Status.Canary)
	require.Equal(t, []string{"a: , ended", "b: it is good, lasting"}, history(rt))
	require.Nil(t, p.file("b"), "what is published now forwards nothing")
	require.True(t, p.soon(func() bool { f := p.file("a"); return f != nil && f.Canary != nil && f.Canary.Weight == 100 }),
		"what remains of connections to the former version gets the new one")
	m := &corev1.ConfigMap{}
	require.True(t, p.soon(func() bool {
		require.NoError(t, cluster.Get(t.Context(), client.ObjectKey{Namespace: p.namespace, Name: "a-traffic"}, m))
		return m.Annotations["krt.dev/until"] != ""
	}), "until they are gone")
	require.True(t, p.soon(func() bool { return p.told(pod) != "" && p.told(pod) != "none" }))

	// Back: the former version forwards nothing when it is published again.
	p.publish("a", "back")
	p.until("published only without a file", func(rt *v1alpha1.Runtime) bool {
		if p.selected() == "a-entrypoint" {
			require.Nil(t, p.file("a"))
			require.Equal(t, "none", p.told(pod))
		}
		return rt.IsReady() && rt.Status.PublishedVersion == "a"
	})
}

// Connections to the former version get the promoted one until they end, also if a third one is published.
func TestPublishAnotherSoonAfterAPromotion(t *testing.T) {
	p := serving(t)
	p.version("c", "example.com/c")
	p.spec(`{"publishedVersion": "b", "canary": null}`)
	p.published("b")
	p.publish("c", "")
	p.published("c")
	p.publish("c", "so that it is looked at again")
	p.published("c")
	f := p.file("a")
	require.NotNil(t, f)
	require.NotNil(t, f.Canary, "its connections would get the former version again")
	require.Equal(t, "b", f.Canary.Version)
}

// Another version than the canary is published: the canary becomes the other's.
func TestPublishAnotherThanTheCanary(t *testing.T) {
	p := serving(t)
	p.version("c", "example.com/c")
	p.publish("c", "")
	p.published("c")
	p.until("its canary", func(rt *v1alpha1.Runtime) bool {
		c := rt.Status.Canary
		return c != nil && c.Phase == v1alpha1.CanaryServing && c.Message == `"b" gets from "c": 10 % of the requests`
	})
	require.Equal(t, "b", p.file("c").Canary.Version)
	require.True(t, p.soon(func() bool { return p.file("a") == nil }))
}

// A published version of which somebody has removed the finalizer is reported, with a canary as without one.
func TestPublishedVersionIsGone(t *testing.T) {
	p := serving(t)
	a := &v1alpha1.Version{ObjectMeta: metav1.ObjectMeta{Name: "a", Namespace: p.namespace}}
	require.NoError(t, cluster.Delete(t.Context(), a))
	p.change(a, `{"metadata": {"finalizers": null}}`)
	p.refused(v1alpha1.ReasonVersionNotFound)
	c := p.canary(v1alpha1.CanaryWaiting, v1alpha1.ReasonVersionNotFound).Status.Canary
	require.Equal(t, `the published version "a" does not exist any more; publish another one`, c.Message)
}

func TestAnotherCanary(t *testing.T) {
	p := serving(t)
	p.version("c", "example.com/c")
	p.spec(`{"canary": {"version": "c", "weight": 20}}`)
	rt := p.canary(v1alpha1.CanaryServing, "")
	require.Equal(t, "c", rt.Status.Canary.Version)
	require.Equal(t, "c", p.file("a").Canary.Version)
}

// A canary that is stopped or deleted goes on until nothing is sent to it any more.
func TestCanaryLeavesBeforeItStops(t *testing.T) {
	for name, end := range map[string]func(p *place, b *v1alpha1.Version){
		"stopped": func(p *place, b *v1alpha1.Version) { p.change(b, `{"spec": {"state": "Stopped"}}`) },
		"deleted": func(p *place, b *v1alpha1.Version) { require.NoError(p, cluster.Delete(p.Context(), b)) },
	} {
		t.Run(name, func(t *testing.T) {
			p := serving(t)
			b := &v1alpha1.Version{}
			require.NoError(t, cluster.Get(t.Context(), client.ObjectKey{Namespace: p.namespace, Name: "b"}, b))
			end(p, b)
			require.True(t, p.soon(func() bool {
				err := cluster.Get(t.Context(), client.ObjectKeyFromObject(b), b)
				if err == nil && b.Status.Phase == v1alpha1.PhaseStarted {
					return false
				}
				require.Nil(t, p.file("a"), "it stops after that")
				return apierrors.IsNotFound(err) || b.Status.Phase == v1alpha1.PhaseStopped
			}))
			rt := p.until("waiting", func(rt *v1alpha1.Runtime) bool { return rt.Status.Canary.Phase == v1alpha1.CanaryWaiting })
			require.False(t, rt.Status.Canary.Receiving)
			require.Equal(t, "a", rt.Status.PublishedVersion)
		})
	}
}

func TestOthersConfigMapIsNotTouched(t *testing.T) {
	p := newPlace(t)
	p.version("a", "example.com/a")
	p.version("b", "example.com/b")
	p.publish("a", "")
	p.published("a")
	theirs := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "a-traffic", Namespace: p.namespace}}
	require.NoError(t, cluster.Create(t.Context(), theirs))
	p.spec(`{"canary": {"version": "b", "weight": 10}}`)
	c := p.canary(v1alpha1.CanaryWaiting, v1alpha1.ReasonNotOwned).Status.Canary
	require.Equal(t, `cannot apply ConfigMap "a-traffic": it exists and has no owner; delete it, and kn-krt creates its own: kubectl delete `+
		`configmap a-traffic -n NS`, replace(c.Message, p.namespace))
	require.NoError(t, cluster.Delete(t.Context(), theirs))
	p.canary(v1alpha1.CanaryServing, "")
}

// A Runtime that is made again finds what the deleted one has left: it publishes nothing that forwards.
func TestFileOfADeletedRuntimeIsWaitedFor(t *testing.T) {
	p := newPlace(t)
	p.version("a", "example.com/a")
	pod := p.pod("a")
	p.change(pod, `{"metadata": {"annotations": {"krt.dev/traffic": "before"}}}`)
	left := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "a-traffic", Namespace: p.namespace,
		Labels: map[string]string{"app.kubernetes.io/managed-by": "kn-krt", "krt.dev/version": "a"},
		OwnerReferences: []metav1.OwnerReference{{APIVersion: "krt.dev/v1alpha1", Kind: "Runtime", Name: "default", UID: "gone",
			Controller: new(true)}}}}
	require.NoError(t, cluster.Create(t.Context(), left))
	p.publish("a", "")
	p.until("publishing", func(rt *v1alpha1.Runtime) bool {
		c := rt.Status.Condition(v1alpha1.ConditionReady)
		return c != nil && c.Message == `the entrypoint of "a", which was published before, is being updated`
	})
	require.Equal(t, "before", p.told(pod))
	require.NoError(t, cluster.Delete(t.Context(), left)) // as the garbage collector does
	p.published("a")
	require.Equal(t, "none", p.told(pod))
}
