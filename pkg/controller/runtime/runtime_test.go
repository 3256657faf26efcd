package runtime

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/apply"
	"krt.dev/kn-krt/pkg/controller/canary"
	"krt.dev/kn-krt/pkg/controller/warm"
	"krt.dev/kn-krt/pkg/controller/watch"
	"krt.dev/kn-krt/pkg/entrypoint/traffic"
	"krt.dev/kn-krt/pkg/observe"
)

func TestWhatIsOverIsForgotten(t *testing.T) {
	now := time.Now()
	r := &reconciler{
		switches: map[types.UID]transition{"1": {}, "2": {}},
		applied:  time.Minute,
		told:     map[leaf]time.Time{{"1", "a"}: now, {"2", "a"}: now, {"2", "b"}: now.Add(-2 * time.Minute)},
		applier:  &apply.Applier{}, plans: canary.NewWalker(nil, 0),
	}
	r.sweep(watch.Existing{UIDs: map[types.UID]bool{"2": true}})
	require.Equal(t, map[types.UID]transition{"2": {}}, r.switches)
	require.Equal(t, map[leaf]time.Time{{"2", "a"}: now}, r.told)
}

// refusing is an apiserver without objects that makes new ones, and cannot list any: a real one
// cannot be made to fail between two requests.
type refusing struct {
	client.Client
	scheme *runtime.Scheme
}

func (c refusing) GroupVersionKindFor(o runtime.Object) (schema.GroupVersionKind, error) {
	return apiutil.GVKForObject(o, c.scheme)
}

func (refusing) Get(context.Context, client.ObjectKey, client.Object, ...client.GetOption) error {
	return apierrors.NewNotFound(schema.GroupResource{}, "")
}

func (refusing) Create(context.Context, client.Object, ...client.CreateOption) error { return nil }

func (refusing) List(context.Context, client.ObjectList, ...client.ListOption) error {
	return errors.New("no more requests")
}

// Entrypoints that were told something before an error are waited for.
func TestWhatWasToldBeforeAnErrorIsNoted(t *testing.T) {
	scheme := runtime.NewScheme()
	require.NoError(t, corev1.AddToScheme(scheme))
	require.NoError(t, v1alpha1.AddToScheme(scheme))
	c := refusing{scheme: scheme}
	r := &reconciler{client: c, applier: &apply.Applier{Client: c, Live: c}, applied: time.Minute, told: map[leaf]time.Time{}}
	rt := &v1alpha1.Runtime{ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.RuntimeName, Namespace: "prices", UID: "1"}}
	left, err := r.tell(t.Context(), rt, division{"a": file{}})
	require.EqualError(t, err, "no more requests")
	require.Equal(t, time.Minute, left)
	require.Positive(t, r.untold(leaf{"1", "a"}, time.Now()))
}

// That a node waits for a machine, because it has been woken, keeps a version from its requests for no longer than other
// nodes that are woken do.
func TestAVersionThatWasReadyUntilItWasWoken(t *testing.T) {
	rt := &v1alpha1.Runtime{ObjectMeta: metav1.ObjectMeta{UID: "rt"}, Spec: v1alpha1.RuntimeSpec{PublishedVersion: "v"}}
	version := func(reason string, change func(*v1alpha1.Version)) *v1alpha1.Version {
		v := &v1alpha1.Version{ObjectMeta: metav1.ObjectMeta{UID: "v"}, Spec: v1alpha1.VersionSpec{State: v1alpha1.StateStarted}}
		v.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: metav1.ConditionUnknown, Reason: reason}}
		if change != nil {
			change(v)
		}
		return v
	}
	waits := version(v1alpha1.ReasonWaitingForNode, nil)
	r := &reconciler{warmths: map[readying]warmth{}}
	require.False(t, r.unready(rt, waits, false), "it was not woken")
	r.warmths[readying{"rt", false}] = warmth{version: "v"}
	require.True(t, r.unready(rt, waits, false))
	require.True(t, r.unready(rt, version(v1alpha1.ReasonUnschedulable, nil), false))
	require.False(t, r.unready(rt, waits, true), "it was not woken as a canary")
	r.warmths[readying{"rt", true}] = warmth{version: "v"}
	require.True(t, r.unready(rt, waits, true))
	require.False(t, r.unready(rt, version(v1alpha1.ReasonUnschedulable, nil), true), "a canary would lose its requests again")
	rt.Status.Canary = &v1alpha1.CanaryStatus{Version: waits.Name, Receiving: true}
	require.False(t, r.unready(rt, waits, true), "it gets requests already")
	rt.Status.PublishedVersion = "v"
	require.False(t, r.unready(rt, waits, false), "it is published already")
	rt.Status.PublishedVersion = ""
	for name, v := range map[string]*v1alpha1.Version{
		"it has crashed": version(v1alpha1.ReasonCrashed, nil),
		"another one":    version(v1alpha1.ReasonWaitingForNode, func(v *v1alpha1.Version) { v.UID = "w" }),
		"it is stopped":  version(v1alpha1.ReasonWaitingForNode, func(v *v1alpha1.Version) { v.Spec.State = v1alpha1.StateStopped }),
		"it is deleted":  version(v1alpha1.ReasonWaitingForNode, func(v *v1alpha1.Version) { v.DeletionTimestamp = new(metav1.Now()) }),
		"nothing known":  {},
	} {
		require.False(t, r.unready(rt, v, false), name)
	}
}

// coldCanary is a canary with a plan, whose node does not respond.
func coldCanary() (*reconciler, *v1alpha1.Runtime, *v1alpha1.Version) {
	notYet := func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("not yet") }
	r := &reconciler{warmer: warm.New(notYet), warmWait: time.Hour, warmths: map[readying]warmth{}, events: events.NewFakeRecorder(1)}
	v := &v1alpha1.Version{ObjectMeta: metav1.ObjectMeta{Name: "b", Namespace: "prices", UID: "b"},
		Spec: v1alpha1.VersionSpec{Nodes: []v1alpha1.Node{{Name: "etl"}}}}
	v.Status.StartedWith = &v1alpha1.StartedWith{Abilities: v1alpha1.Abilities{Warm: true}}
	rt := &v1alpha1.Runtime{ObjectMeta: metav1.ObjectMeta{UID: "rt"}}
	rt.Spec.Canary = &v1alpha1.Canary{Version: "b", Plan: &v1alpha1.CanaryPlan{Steps: []v1alpha1.CanaryStep{{Weight: 10}}}}
	return r, rt, v
}

// Nodes that have been woken for a plan may be asleep again when the next one begins.
func TestACanaryThatIsTriedAgainIsWokenAgain(t *testing.T) {
	r, rt, v := coldCanary()
	key := readying{"rt", true}
	require.NotNil(t, r.cold(t.Context(), rt, v, true))
	w := r.warmths[key]
	w.since = w.since.Add(-r.warmWait)
	r.warmths[key] = w
	require.Nil(t, r.cold(t.Context(), rt, v, true), "it is not waited for any longer")
	require.Nil(t, r.cold(t.Context(), rt, v, true), "what is over stays so")
	rt.Spec.Canary.Paused = true
	require.Nil(t, r.cold(t.Context(), rt, v, true), "it is the same plan")
	rt.Spec.Canary.Plan.Steps[0].Weight = 5
	require.NotNil(t, r.cold(t.Context(), rt, v, true))
}

// A canary that was rolled back gets no requests any more, and nobody waits for its nodes.
func TestACanaryThatWasRolledBackIsNotWoken(t *testing.T) {
	r, rt, v := coldCanary()
	rt.Status.PublishedVersion = "a"
	rt.Status.Canary = &v1alpha1.CanaryStatus{Version: "b", Phase: v1alpha1.CanaryRolledBack, Of: rt.Spec.Canary.ID("a")}
	require.Nil(t, r.cold(t.Context(), rt, v, true))
	require.Empty(t, r.warmths)
	rt.Spec.Canary.Plan.Steps[0].Weight = 5
	require.NotNil(t, r.cold(t.Context(), rt, v, true), "another plan begins")
}

// A controller that is new knows nothing of how a version was woken that has its requests: neither does one that is not.
func TestHowAVersionWasWokenIsForgottenOnceItHasItsRequests(t *testing.T) {
	now := time.Now()
	published, asCanary := readying{"rt", false}, readying{"rt", true}
	rt := &v1alpha1.Runtime{ObjectMeta: metav1.ObjectMeta{UID: "rt"}}
	rt.Spec = v1alpha1.RuntimeSpec{PublishedVersion: "c", Canary: &v1alpha1.Canary{Version: "b"}}
	rt.Status = v1alpha1.RuntimeStatus{PublishedVersion: "a", Canary: &v1alpha1.CanaryStatus{Version: "b"}}
	r := &reconciler{warmWait: time.Minute, warmths: map[readying]warmth{
		published: {version: "c", since: now}, asCanary: {version: "b", since: now, over: true}}}
	require.Equal(t, warmInterval, r.warming(rt, now))
	require.Len(t, r.warmths, 2)
	rt.Status.Canary.Receiving = true
	r.warming(rt, now)
	require.NotContains(t, r.warmths, asCanary)
	rt.Status.PublishedVersion = "c"
	require.Zero(t, r.warming(rt, now))
	require.Empty(t, r.warmths)
}

// What a canary has does not go back to the published version while its own publication waits for something that passes.
func TestACanaryKeepsItsShareUntilItIsPublished(t *testing.T) {
	r := &reconciler{client: refusing{}, applied: time.Minute, told: map[leaf]time.Time{}}
	share := traffic.Config{Canary: &traffic.Canary{Version: "b", Weight: 10}}
	for name, one := range map[string]struct {
		obstacle *observe.Cause
		have     traffic.Config
		weight   int // -1: it gets nothing
		phase    v1alpha1.CanaryPhase
	}{
		"nothing is in the way":           {nil, share, 100, v1alpha1.CanaryPromoting},
		"its nodes are being woken":       {&observe.Cause{Reason: v1alpha1.ReasonPublishing}, share, 10, v1alpha1.CanaryServing},
		"it has got nothing":              {&observe.Cause{Reason: v1alpha1.ReasonPublishing}, traffic.Config{}, -1, v1alpha1.CanaryWaiting},
		"it cannot be published as it is": {&observe.Cause{Reason: v1alpha1.ReasonVersionNotReady}, share, -1, v1alpha1.CanaryWaiting},
	} {
		t.Run(name, func(t *testing.T) {
			rt := &v1alpha1.Runtime{Spec: v1alpha1.RuntimeSpec{PublishedVersion: "b"}}
			rt.Status = v1alpha1.RuntimeStatus{PublishedVersion: "a",
				Canary: &v1alpha1.CanaryStatus{Version: "b", Phase: v1alpha1.CanaryServing, Weight: 10, Receiving: true}}
			config, _, err := r.wanted(t.Context(), rt, one.obstacle, division{"a": {Config: one.have}}, time.Now())
			require.NoError(t, err)
			require.Equal(t, one.phase, rt.Status.Canary.Phase)
			if one.weight < 0 {
				require.Nil(t, config)
				return
			}
			require.Equal(t, one.weight, config.Canary.Weight)
			require.Equal(t, "b", config.Canary.Version)
		})
	}
}
