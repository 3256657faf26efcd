package version

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"knative.dev/serving/pkg/apis/serving"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/apply"
	"krt.dev/kn-krt/pkg/controller/warm"
	"krt.dev/kn-krt/pkg/observe"
	"krt.dev/kn-krt/pkg/render"
)

// What is in use changes only if it is made of something else: a Revision that is made anew is that for its node's own
// objects, with the Service that selects its pods, and for nothing else of the version.
func TestARetryChangesTheObjectsOfItsNodeAlone(t *testing.T) {
	v := testVersion()
	v.Spec.Nodes = []v1alpha1.Node{{Name: "etl", Image: "e"}, {Name: "model", Image: "m", GPU: true}}
	v.Spec.Workflows = []v1alpha1.Workflow{{Name: "one", Entrypoint: "One", Sequential: []string{"etl", "model"}}}
	v.Spec.Entrypoint = v1alpha1.Entrypoint{Proto: "p.proto", Delivery: v1alpha1.DeliveryDirect,
		Files: []v1alpha1.ProtoFile{{Path: "p.proto", Content: `syntax = "proto3";`}}}
	with := v1alpha1.StartedWith{EntrypointImage: "e", Settings: render.Record(nil),
		Abilities: v1alpha1.Abilities{Traffic: true, Kept: true, Warm: true, Patient: true}}
	d := desired{version: v, live: true, plan: plan{with: with, settings: render.SettingsOf(with.Settings)}}
	made := func() map[string]string {
		items, err := d.items(cluster{serving: true, eventing: true}, observe.Config{Ready: true, Hash: "1"}, "key")
		require.NoError(t, err)
		all := map[string]string{}
		for _, one := range items {
			if s, isService := one.object.(*corev1.Service); isService && s.Name == render.PodsName("v", "model") {
				all["selects"] = s.Spec.Selector[render.LabelTemplate]
			}
			all[one.object.GetObjectKind().GroupVersionKind().Kind+" "+one.object.GetName()] = one.object.GetAnnotations()[apply.MadeAnnotation]
		}
		return all
	}
	before := made()
	d.retries = map[string]string{"model": "0123456789ab"}
	after := made()
	require.Len(t, after, len(before))
	var changed []string
	for name := range after {
		if before[name] != after[name] {
			changed = append(changed, name)
		}
	}
	require.ElementsMatch(t, []string{"selects", "Service v---model", "Service v-model"}, changed)
	require.True(t, strings.HasPrefix(after["Service v-model"], before["Service v-model"]), "it is the same start")
}

// While config values are missing, the pods of a node stay as they are, and so do the Services that select them: as
// rendered without the values they would select none.
func TestServicesOfNodesStayWhileConfigValuesAreMissing(t *testing.T) {
	v := testVersion()
	v.Spec.Config.Variables = []string{"CURRENCY"}
	v.Spec.Nodes = []v1alpha1.Node{{Name: "etl", Image: "e"}}
	v.Spec.Workflows = []v1alpha1.Workflow{{Name: "one", Entrypoint: "One", Sequential: []string{"etl"}}}
	v.Spec.Entrypoint = v1alpha1.Entrypoint{Proto: "p.proto", Delivery: v1alpha1.DeliveryDirect,
		Files: []v1alpha1.ProtoFile{{Path: "p.proto", Content: `syntax = "proto3";`}}}
	with := v1alpha1.StartedWith{EntrypointImage: "e", Settings: render.Record(nil), Abilities: v1alpha1.Abilities{Traffic: true, Kept: true}}
	d := desired{version: v, live: true, plan: plan{with: with, settings: render.SettingsOf(with.Settings)}}
	frozen := func(config observe.Config) (names []string) {
		items, err := d.items(cluster{serving: true, eventing: true}, config, "key")
		require.NoError(t, err)
		for _, one := range items {
			if one.frozen {
				names = append(names, one.object.GetName())
			}
		}
		return names
	}
	require.Empty(t, frozen(observe.Config{Ready: true, Hash: "1"}))
	require.ElementsMatch(t, []string{"v-etl", "v---etl"}, frozen(observe.Config{}))
}

// A pod of the entrypoint reads the ConfigMap once: its Deployment is written after that, and everything else at the
// same time.
func TestTheEntrypointIsWrittenAfterItsConfiguration(t *testing.T) {
	v := testVersion()
	v.Spec.Nodes = []v1alpha1.Node{{Name: "etl", Image: "e"}}
	v.Spec.Workflows = []v1alpha1.Workflow{{Name: "one", Entrypoint: "One", Sequential: []string{"etl"}}}
	v.Spec.Entrypoint = v1alpha1.Entrypoint{Proto: "p.proto", Delivery: v1alpha1.DeliveryDirect,
		Files: []v1alpha1.ProtoFile{{Path: "p.proto", Content: `syntax = "proto3";`}}}
	with := v1alpha1.StartedWith{EntrypointImage: "e", Settings: render.Record(nil), Abilities: v1alpha1.Abilities{Traffic: true, Kept: true}}
	d := desired{version: v, plan: plan{with: with, settings: render.SettingsOf(with.Settings)}}
	items, err := d.items(cluster{serving: true, eventing: true}, observe.Config{Ready: true}, "key")
	require.NoError(t, err)
	written, rowsOfTwo := 0, 0
	for _, row := range rows(items) {
		if written += len(row); len(row) == 1 {
			continue
		}
		rowsOfTwo++
		require.Len(t, row, 2)
		require.IsType(t, &corev1.ConfigMap{}, row[0].object)
		require.IsType(t, &appsv1.Deployment{}, row[1].object)
	}
	require.Equal(t, 1, rowsOfTwo)
	require.Len(t, items, written)
}

func TestNodesThatWaitForMachinesAreLookedAtLessOften(t *testing.T) {
	now := time.Now()
	r := &reconciler{warmer: warm.New(nil)}
	v := testVersion()
	v.Annotations = map[string]string{v1alpha1.AnnotationWarmUntil: now.Add(time.Hour).UTC().Format(time.RFC3339)}
	v.Spec.Nodes = []v1alpha1.Node{{Name: "model"}}
	require.Zero(t, r.keepWarm(v, now, 0), "it is not started")
	v.Status.Phase, v.Status.StartedWith = v1alpha1.PhaseStarted, &v1alpha1.StartedWith{}
	require.Equal(t, wakeInterval, r.keepWarm(v, now, 0))
	require.Equal(t, []string{"model"}, v.Status.Warm.Waiting)
	for after := 20 * time.Second; after < 2*wakeTime; after += 20 * time.Second { // it may never come up
		want := wakeInterval
		if after >= wakeTime {
			want = warm.Interval
		}
		require.Equal(t, want, r.keepWarm(v, now.Add(after), 0), "%s", after)
	}
	require.Equal(t, wakeInterval, r.keepWarm(v, now.Add(10*time.Minute), 0), "it was not to be up meanwhile")
	v.Status.Nodes = []v1alpha1.NodeStatus{{Name: "model", Reason: v1alpha1.ReasonWaitingForNode}}
	require.Equal(t, warm.Interval, r.keepWarm(v, now, 0))
	require.Equal(t, 2*time.Second, r.keepWarm(v, now, 2*time.Second))
	require.Equal(t, time.Minute, r.keepWarm(&v1alpha1.Version{ObjectMeta: metav1.ObjectMeta{}}, now, time.Minute))
}

// A status that says something else each time would be written, and have the version reconciled, again and again.
func TestWhatIsWrongWithATimeToKeepWarm(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	r := &reconciler{warmer: warm.New(nil)}
	v := testVersion()
	v.Status.Phase, v.Status.StartedWith = v1alpha1.PhaseStarted, &v1alpha1.StartedWith{}
	v.Annotations = map[string]string{v1alpha1.AnnotationWarmUntil: "tomorrow"}
	require.Zero(t, r.keepWarm(v, now, 0))
	before := v.Status.Warm.Message
	require.Contains(t, before, `"tomorrow" is not a time`)
	require.Zero(t, r.keepWarm(v, now.Add(time.Minute), 0))
	require.Equal(t, before, v.Status.Warm.Message)

	v.Annotations[v1alpha1.AnnotationWarmUntil] = "2026-01-09T03:04:08Z" // by a clock that is ahead
	due := r.keepWarm(v, now, 0)
	require.Equal(t, "krt.dev/warm-until: 2026-01-09T03:04:08Z is more than 168 hours ahead", v.Status.Warm.Message)
	require.Equal(t, 3*time.Second+time.Millisecond, due)
	require.Equal(t, time.Second, r.keepWarm(v, now, time.Second))
	r.keepWarm(v, now.Add(due), 0)
	require.Empty(t, v.Status.Warm.Message)
	v.Annotations[v1alpha1.AnnotationWarmUntil] = "2026-01-09T03:04:08." + strings.Repeat("0", 1000) + "Z"
	r.keepWarm(v, now, 0)
	require.Less(t, len(v.Status.Warm.Message), 100)
}

// unreadable is an apiserver that does not let events be read.
type unreadable struct{ client.Reader }

func (unreadable) List(context.Context, client.ObjectList, ...client.ListOption) error {
	return errors.New("no events today")
}

// cached has these pods, and no settings of Knative.
type cached struct {
	client.Client
	pods []corev1.Pod
}

func (c cached) List(_ context.Context, list client.ObjectList, _ ...client.ListOption) error {
	list.(*corev1.PodList).Items = c.pods
	return nil
}

func (cached) Get(context.Context, client.ObjectKey, client.Object, ...client.GetOption) error {
	return nil
}

// What cannot be read about a pod that waits for a machine hides nothing else: the version is marked, and its
// entrypoint is told.
func TestEventsThatCannotBeReadHideNothingElse(t *testing.T) {
	v := testVersion()
	waiting := corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "p", UID: "1", CreationTimestamp: metav1.Now(), Labels: map[string]string{
		render.LabelVersion: "v", render.LabelNode: "model", serving.RevisionLabelKey: "v-model-00001"}}}
	waiting.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionFalse,
		Reason: corev1.PodReasonUnschedulable, Message: "0/1 nodes are available.", LastTransitionTime: metav1.Now()}}
	r := &reconciler{live: unreadable{}, client: cached{pods: []corev1.Pod{waiting}}}
	s := &servingv1.Service{}
	s.Status.LatestCreatedRevisionName = "v-model-00001"
	node := observe.Node{Service: s, Patience: &observe.Patience{StartTimeout: time.Hour}}
	in := observe.Input{Now: time.Now(), Nodes: map[string]observe.Node{"model": node}}
	unknown, err := r.addPods(t.Context(), v, true, &in)
	require.ErrorContains(t, err, `cannot read the events of Pod "p": no events today`)
	require.False(t, unknown)
	require.True(t, in.Unread)
	require.True(t, in.Impatient, "Knative's settings have been read")
	require.Len(t, in.Nodes["model"].Pods, 1)
	due, err := r.tellCold(t.Context(), desired{version: v}, in)
	require.NoError(t, err)
	require.Zero(t, due, "the version has no such node")
	v.Spec.Nodes = []v1alpha1.Node{{Name: "model"}}
	nodes, _ := observe.Cold(v, in)
	require.Len(t, nodes, 1)
	in.Nodes["model"].Pods[0].Status.Conditions[0].Status = corev1.ConditionTrue // it has a machine
	_, left := observe.Cold(v, in)
	due, err = r.tellCold(t.Context(), desired{version: v}, in)
	require.NoError(t, err)
	require.Positive(t, due)
	require.Equal(t, left, due, "its start timeout passes without a change of its pod")
}
