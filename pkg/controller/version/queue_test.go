package version

import (
	"testing"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/queue"
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
	v.Spec.Workflows = []v1alpha1.Workflow{{Name: "flow", Sequential: []string{"etl", "model"}}}
	require.Equal(t, []queue.Step{
		{Workflow: "flow", Node: "etl"}, {Workflow: "flow", Index: 1, Node: "model"}, {Workflow: "flow", Index: 2, Node: queue.Postbox},
	}, stepsOf(v))
	old := queue.StepStatus{Workflow: "flow", Index: 1, Node: "old", Waiting: 2, Work: 1, Former: true}
	moved := queue.StepStatus{Workflow: "flow", Index: 2, Node: "model", Waiting: 1, Former: true}
	model := queue.StepStatus{Workflow: "flow", Index: 1, Node: "model", Waiting: 1}
	for want, status := range map[string]queue.Status{
		"":                               {Events: 4, Steps: []queue.StepStatus{old, moved}},
		"1 event is left in its queue":   {Events: 1, Steps: []queue.StepStatus{model}},
		"2 events are left in its queue": {Events: 2},
		`1 event is left in its queue; what node "old" of workflow "flow" has left, 3, is not waited for, because the workflow ` +
			`no longer has it there: kn krt queue drop v1 -n team --workflow flow --node old; what node "model" of workflow "flow" ` +
			`has left, 1, is not waited for, because the workflow no longer has it there`: {Events: 5, Steps: []queue.StepStatus{old, model, moved}},
	} {
		require.Equal(t, want, left(v, &status))
	}
}
