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
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/controller/watch"
	"krt.dev/kn-krt/pkg/observe"
	"krt.dev/kn-krt/pkg/queue"
	queueclient "krt.dev/kn-krt/pkg/queue/client"
	"krt.dev/kn-krt/pkg/render"
	"krt.dev/kn-krt/test/jetstream"
)

func TestWhoMayHaveAStream(t *testing.T) {
	with := func(secret string) *v1alpha1.StartedWith { return &v1alpha1.StartedWith{QueueSecret: secret} }
	for _, tt := range []struct {
		name     string
		delivery v1alpha1.Delivery
		stream   bool
		with     *v1alpha1.StartedWith
		want     bool
	}{
		{"never durable", v1alpha1.DeliveryDirect, false, with(""), false},
		{"stopped, never durable", v1alpha1.DeliveryDirect, false, nil, false},
		{"durable", v1alpha1.DeliveryDurable, true, with("q"), true},
		{"to be started as durable", v1alpha1.DeliveryDurable, false, nil, true},
		{"started by an older kn-krt, then changed", v1alpha1.DeliveryDirect, false, with("q"), true},
		{"stopped, then changed", v1alpha1.DeliveryDirect, true, nil, true},
		{"stopped, changed, started again", v1alpha1.DeliveryDirect, true, with(""), true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			v := testVersion()
			v.Spec.Entrypoint.Delivery, v.Status.Stream = tt.delivery, tt.stream
			require.Equal(t, tt.want, mayHaveStream(v, tt.with))
		})
	}
}

func TestAStopDoesNotWaitForFormerSteps(t *testing.T) {
	v := testVersion()
	v.Name, v.Namespace = "v1", "team"
	steps := queue.Steps("flow", "etl", "model")
	require.Equal(t, []queue.Step{
		{Workflow: "flow", Node: "etl"}, {Workflow: "flow", Index: 1, Node: "model"}, {Workflow: "flow", Index: 2, Node: queue.Postbox},
	}, steps)
	old := queue.StepStatus{Workflow: "flow", Index: 1, Node: "old", Waiting: 2, Work: 1}
	moved := queue.StepStatus{Workflow: "flow", Index: 2, Node: "model", Waiting: 1}
	model := queue.StepStatus{Workflow: "flow", Index: 1, Node: "model", Waiting: 1}
	for want, status := range map[string]queue.Status{
		"":                               {Events: 4, Steps: []queue.StepStatus{old, moved}},
		"1 event is left in its queue":   {Events: 1, Steps: []queue.StepStatus{model}},
		"2 events are left in its queue": {Events: 2},
		"3 events are left in its queue; results and dead letters that the store has yet to accept: 2 (the entrypoint's log has what it says)": {
			Events: 3, Steps: []queue.StepStatus{model, {Workflow: "flow", Index: 2, Node: queue.Postbox, Waiting: 1, Work: 1}}},
		`1 event is left in its queue; what node "old" of workflow "flow" has left, 3, is not waited for, because the workflow ` +
			`no longer has it there: kn krt queue drop v1 -n team --workflow flow --node old; what node "model" of workflow "flow" ` +
			`has left, 1, is not waited for, because the workflow no longer has it there`: {Events: 5, Steps: []queue.StepStatus{old, model, moved}},
	} {
		require.Equal(t, want, left(v, steps, &status))
	}
	require.Equal(t, "4 events are left in its queue; which of its steps the entrypoint fetches is not known; what nobody fetches is "+
		"removed by: kn krt queue drop v1 -n team --workflow WORKFLOW --node NODE",
		left(v, nil, &queue.Status{Events: 4, Steps: []queue.StepStatus{old, moved}}))
	require.Empty(t, left(v, nil, &queue.Status{}))
}

// stopping reads what runs of a version that stops.
type stopping struct {
	client.Client
	deployment *appsv1.Deployment
	contents   []*corev1.ConfigMap
	pods       []corev1.Pod
}

func (s stopping) Get(_ context.Context, key client.ObjectKey, into client.Object, _ ...client.GetOption) error {
	if _, isSecret := into.(*corev1.Secret); isSecret { // it has no credentials
		return nil
	}
	for _, m := range s.contents {
		if into, ok := into.(*corev1.ConfigMap); ok && m.Name == key.Name {
			m.DeepCopyInto(into)
			return nil
		}
	}
	return apierrors.NewNotFound(schema.GroupResource{Resource: "any"}, key.Name)
}

func (s stopping) List(_ context.Context, list client.ObjectList, _ ...client.ListOption) error {
	switch list := list.(type) {
	case *appsv1.DeploymentList:
		list.Items = []appsv1.Deployment{*s.deployment}
	case *corev1.PodList:
		list.Items = s.pods
	}
	return nil
}

// What the entrypoint fetches is that of its configuration. The spec may have other workflows by now.
func TestAStopWaitsForWhatTheEntrypointFetches(t *testing.T) {
	server := jetstream.Start(t, jetstream.Options(t.TempDir(), -1))
	started := testVersion()
	started.UID = "1"
	started.Spec.Workflows = []v1alpha1.Workflow{{Name: "flow", Entrypoint: "Flow", Sequential: []string{"etl", "model"}}}
	started.Spec.Entrypoint = v1alpha1.Entrypoint{Proto: "p.proto", Delivery: v1alpha1.DeliveryDurable,
		Files: []v1alpha1.ProtoFile{{Path: "p.proto", Content: `syntax = "proto3";`}}}
	with := v1alpha1.StartedWith{EntrypointImage: "e", QueueSecret: "q", Abilities: v1alpha1.Latest(),
		Settings: render.Record(map[string]string{"queue-url": server.ClientURL(), "queue-secret": "q"})}
	started.Status.StartedWith = &with

	steps := queue.Steps("flow", "etl", "model")
	c, err := queueclient.Connect(queue.Settings{URL: server.ClientURL()}, queueclient.Options{Namespace: "ns", Version: "v", Steps: steps})
	require.NoError(t, err)
	t.Cleanup(c.Close)
	soon := func(try func() error) {
		require.Eventually(t, func() bool { return try() == nil }, 2*time.Minute, 5*time.Millisecond)
	}
	soon(func() error { return c.Ensure(t.Context()) })
	soon(func() error {
		return c.Publish(t.Context(), queueclient.Message{Step: steps[1], ID: "1/1", Data: []byte("accepted")})
	})

	made := func(nodes ...string) (d *appsv1.Deployment, m *corev1.ConfigMap) {
		v := started.DeepCopy()
		v.Spec.Workflows[0].Sequential = nodes
		for _, name := range nodes {
			v.Spec.Nodes = append(v.Spec.Nodes, v1alpha1.Node{Name: name, Image: "i"})
		}
		want := desired{version: v, live: true, plan: plan{with: with, settings: render.SettingsOf(with.Settings)}}
		items, err := want.items(cluster{serving: true, eventing: true}, observe.Config{Ready: true}, "key")
		require.NoError(t, err)
		for _, one := range items {
			switch o := one.object.(type) {
			case *appsv1.Deployment:
				d = o
			case *corev1.ConfigMap:
				m = o
			}
		}
		m.OwnerReferences = []metav1.OwnerReference{*metav1.NewControllerRef(v, v1alpha1.GroupVersion.WithKind("Version"))}
		return d, m
	}
	deployment, content := made("etl", "model")
	next, nextContent := made("etl", "other")
	damaged := content.DeepCopy()
	damaged.Data["entrypoint.json"] = "{"
	template := deployment.Spec.Template
	pod := corev1.Pod{ObjectMeta: metav1.ObjectMeta{Labels: template.Labels, Annotations: template.Annotations}}
	older := content.DeepCopy() // as a kn-krt has made it that had one configuration for all pods
	older.Name = render.EntrypointName("v")
	const waits = "1 event is left in its queue"
	const unknown = waits + "; which of its steps the entrypoint fetches is not known; what nobody fetches is removed by: " +
		"kn krt queue drop v -n ns --workflow WORKFLOW --node NODE"
	for name, test := range map[string]struct {
		spec       []string
		deployment *appsv1.Deployment
		contents   []*corev1.ConfigMap
		pods       []corev1.Pod
		want       string
	}{
		"as it was started":             {[]string{"etl", "model"}, deployment, []*corev1.ConfigMap{content}, []corev1.Pod{pod}, waits},
		"a node was renamed":            {[]string{"etl", "other"}, deployment, []*corev1.ConfigMap{content}, []corev1.Pod{pod}, waits},
		"a node was inserted":           {[]string{"new", "etl", "model"}, deployment, []*corev1.ConfigMap{content}, nil, waits},
		"it was restarted without":      {[]string{"etl", "model"}, next, []*corev1.ConfigMap{nextContent}, nil, ""},
		"one of before runs still":      {[]string{"etl", "other"}, next, []*corev1.ConfigMap{nextContent, content}, []corev1.Pod{pod}, waits},
		"what it is has been deleted":   {[]string{"etl", "other"}, next, nil, nil, unknown},
		"what one of before is is gone": {[]string{"etl", "other"}, next, []*corev1.ConfigMap{nextContent}, []corev1.Pod{pod}, unknown},
		"one of an older kn-krt runs":   {[]string{"etl", "other"}, next, []*corev1.ConfigMap{nextContent, older}, []corev1.Pod{pod}, waits},
		"what it is cannot be read":     {[]string{"etl", "other"}, deployment, []*corev1.ConfigMap{damaged}, nil, unknown},
	} {
		t.Run(name, func(t *testing.T) {
			v := started.DeepCopy()
			v.Spec.Workflows[0].Sequential = test.spec
			there := stopping{deployment: test.deployment, contents: test.contents, pods: test.pods}
			r := &reconciler{client: there, live: there, settings: &watch.Settings{}}
			var got string
			soon(func() error { // a server on a busy machine may not respond in time
				var err error
				got, err = r.drainQueue(t.Context(), v, time.Now())
				require.NoError(t, err)
				if strings.Contains(got, "its queue is not known") {
					return errors.New(got)
				}
				return nil
			})
			require.Equal(t, test.want, got)
			_, err := r.fetchedSteps(t.Context(), v, test.deployment, time.Now())
			require.Equal(t, test.want == unknown, err != nil, "why they are not known is logged: %v", err)
		})
	}
}
