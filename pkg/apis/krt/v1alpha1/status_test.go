package v1alpha1_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
)

// version has two nodes and one workflow, and a status that is begun.
func version() *v1alpha1.Version {
	v := &v1alpha1.Version{ObjectMeta: metav1.ObjectMeta{Name: "greeter-v1", Namespace: "kre", Generation: 3}}
	v.Spec.State = v1alpha1.StateStarted
	v.Spec.Config = v1alpha1.Config{Variables: []string{"CURRENCY"}, Files: []string{"CERT"}}
	v.Spec.Nodes = []v1alpha1.Node{{Name: "etl"}, {Name: "model"}}
	v.Spec.Workflows = []v1alpha1.Workflow{{Name: "greeting", Sequential: []string{"etl", "model"}}}
	v.BeginStatus()
	return v
}

// ready marks all of a version ready.
func ready(v *v1alpha1.Version) {
	v.MarkConfigReady()
	for _, n := range v.Spec.Nodes {
		v.MarkNodeReady(n.Name, n.Name+"-00001", "example.com/image@sha256:0")
	}
	for _, w := range v.Spec.Workflows {
		v.MarkWorkflowReady(w.Name, "http://example.com", "KafkaChannel")
	}
	v.MarkEntrypointReady("http://greeter-v1.kre.svc.cluster.local")
}

// line is a condition as one line: "Type=Status Reason: message".
func line(c *metav1.Condition) string {
	return strings.TrimSuffix(fmt.Sprintf("%s=%s %s: %s", c.Type, c.Status, c.Reason, c.Message), ": ")
}

// What each mark does to a version that is ready otherwise: to a condition of its
// own, and to the sum.
func TestMarks(t *testing.T) {
	for _, tt := range []struct {
		name       string
		mark       func(*v1alpha1.Version)
		condition  string
		want, sums string
	}{
		{"nothing", func(*v1alpha1.Version) {}, "NodesReady", "NodesReady=True Ready", "Ready=True Ready"},
		{
			"a node that deploys", func(v *v1alpha1.Version) { v.MarkNodeNotReady("model", v1alpha1.ReasonDeploying, "pulls") },
			"NodesReady", `NodesReady=Unknown Deploying: waiting for 1 of 2 nodes: "model"`,
			`Ready=Unknown Deploying: waiting for 1 of 2 nodes: "model"`,
		},
		{
			"a node that fails", func(v *v1alpha1.Version) {
				v.MarkNodeNotReady("model", v1alpha1.ReasonCrashed, "it ended with 1:\n  no model\n")
				v.MarkEntrypointNotReady(v1alpha1.ReasonDeploying, "waits for its pods")
			},
			"NodesReady", `NodesReady=False Crashed: node "model": it ended with 1: no model`,
			`Ready=False Crashed: node "model": it ended with 1: no model`,
		},
		{
			"all nodes fail", func(v *v1alpha1.Version) {
				v.MarkNodeNotReady("etl", v1alpha1.ReasonServingMissing, "install it")
				v.MarkNodeNotReady("model", v1alpha1.ReasonServingMissing, "install it")
			}, "NodesReady",
			`NodesReady=False ServingMissing: node "etl": install it (also not ready: "model")`,
			`Ready=False ServingMissing: node "etl": install it (also not ready: "model")`,
		},
		{
			"a failure and a wait", func(v *v1alpha1.Version) {
				v.MarkNodeNotReady("etl", v1alpha1.ReasonDeploying, "pulls")
				v.MarkNodeNotReady("model", v1alpha1.ReasonNotOwned, "taken")
			},
			"NodesReady", `NodesReady=False NotOwned: node "model": taken`, `Ready=False NotOwned: node "model": taken`,
		},
		{
			"config without a value", func(v *v1alpha1.Version) { v.MarkConfigMissing("greeter-v1-config", "CURRENCY", "CERT") }, "ConfigReady",
			`ConfigReady=False ConfigMissing: no value in Secret "greeter-v1-config" for "CERT", "CURRENCY"; set it: kn krt config greeter-v1 -n ` +
				`kre --set-from-file CERT=PATH --set CURRENCY=VALUE`,
			`Ready=False ConfigMissing: no value in Secret "greeter-v1-config" for "CERT", "CURRENCY"; set it: kn krt config greeter-v1 -n kre ` +
				`--set-from-file CERT=PATH --set CURRENCY=VALUE`,
		},
		{
			"keys that are not declared", func(v *v1alpha1.Version) { v.MarkConfigUnknownKeys("greeter-v1-config", "B", "A") }, "ConfigReady",
			`ConfigReady=True UnknownKeys: Secret "greeter-v1-config" has keys that the version does not declare: "A", "B"`, "Ready=True Ready",
		},
		{
			"messages too large for channels", func(v *v1alpha1.Version) { v.MarkWorkflowLimited("greeting", "raise the limit") }, "WorkflowsReady",
			`WorkflowsReady=True ChannelLimit: workflow "greeting": raise the limit`, "Ready=True Ready",
		},
		{
			"config comes first", func(v *v1alpha1.Version) {
				v.MarkWorkflowNotReady("greeting", v1alpha1.ReasonEventingMissing, "install it")
				v.MarkConfigUnreadable("forbidden")
			}, "WorkflowsReady",
			`WorkflowsReady=False EventingMissing: workflow "greeting": install it`,
			"Ready=False ConfigUnreadable: forbidden",
		},
		{
			"an entrypoint that fails", func(v *v1alpha1.Version) { v.MarkEntrypointNotReady(v1alpha1.ReasonInvalid, "no such rpc") },
			"EntrypointReady", "EntrypointReady=False Invalid: no such rpc", "Ready=False Invalid: no such rpc",
		},
		{
			"stopped, with config missing too", func(v *v1alpha1.Version) {
				v.MarkConfigMissing("greeter-v1-config", "CURRENCY")
				v.MarkStopped()
			},
			"NodesReady", "NodesReady=False Stopped: the version is stopped; start it: kn krt start greeter-v1 -n kre",
			"Ready=False Stopped: the version is stopped; start it: kn krt start greeter-v1 -n kre",
		},
		{
			"stopping", func(v *v1alpha1.Version) { v.MarkStopping() }, "WorkflowsReady",
			"WorkflowsReady=False Stopping: the version is stopping: requests in flight are being completed",
			"Ready=False Stopping: the version is stopping: requests in flight are being completed",
		},
		{"not published", func(*v1alpha1.Version) {}, "Published", "Published=False NotPublished: publish it: kn krt publish greeter-v1 -n kre",
			"Ready=True Ready"},
		{"published", func(v *v1alpha1.Version) { v.MarkPublished() }, "Published", "Published=True Published", "Ready=True Ready"},
		{"publishing", func(v *v1alpha1.Version) { v.MarkPublishing("waits") }, "Published", "Published=Unknown Publishing: waits",
			"Ready=True Ready"},
		{
			"a refused stop", func(v *v1alpha1.Version) { v.MarkStopRefused() }, "StopRefused",
			"StopRefused=True Published: a published version cannot be stopped; unpublish it or publish another version first: kn krt unpublish " +
				"greeter-v1 -n kre",
			"Ready=True Ready",
		},
		{
			"a refused delete", func(v *v1alpha1.Version) { v.MarkDeleteRefused() }, "DeleteRefused",
			"DeleteRefused=True Published: a published version is not deleted before it is unpublished or another version is published: kn krt " +
				"unpublish greeter-v1 -n kre",
			"Ready=True Ready",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			v := version()
			ready(v)
			tt.mark(v)
			v.FinishStatus()
			require.Equal(t, tt.want, line(v.Status.Condition(tt.condition)))
			require.Equal(t, tt.sums, line(v.Status.Condition("Ready")))
		})
	}
}

func TestConditionsStandInOrderAndSpeakOfTheirGeneration(t *testing.T) {
	v := version()
	v.MarkDeleteRefused()
	v.MarkStopRefused()
	v.MarkPublished()
	ready(v)
	v.FinishStatus()
	var order []string
	for _, c := range v.GetConditions() {
		order = append(order, c.Type)
		require.EqualValues(t, 3, c.ObservedGeneration, c.Type)
		require.NotEmpty(t, c.Reason, c.Type)
	}
	require.Equal(t, []string{"Ready", "ConfigReady", "NodesReady", "WorkflowsReady", "EntrypointReady", "Published", "StopRefused",
		"DeleteRefused"}, order)
	v.MarkStopNotRefused()
	v.MarkDeleteNotRefused()
	require.Nil(t, v.Status.Condition("StopRefused"))
	require.Nil(t, v.Status.Condition("DeleteRefused"))
}

func TestReadyCountsForItsGenerationOnly(t *testing.T) {
	v := version()
	ready(v)
	v.FinishStatus()
	require.True(t, v.IsReady())
	v.Generation++
	require.False(t, v.IsReady())
}

// A second reconcile with the same result writes the same, also if it passes through
// other states on its way.
func TestTheSameTwiceIsTheSame(t *testing.T) {
	v := version()
	ready(v)
	v.MarkNodeNotReady("model", v1alpha1.ReasonCrashed, "ended")
	v.FinishStatus()
	long := metav1.NewTime(time.Now().Add(-time.Hour).Truncate(time.Second))
	for i := range v.Status.Conditions {
		v.Status.Conditions[i].LastTransitionTime = long
	}
	before := v.Status.DeepCopy()

	v.BeginStatus()
	ready(v)
	v.MarkNodeNotReady("etl", v1alpha1.ReasonCrashed, "ended")
	v.MarkNodeReady("etl", "etl-00001", "example.com/image@sha256:0")
	v.MarkNodeNotReady("model", v1alpha1.ReasonCrashed, "ended")
	v.FinishStatus()
	require.Equal(t, before, &v.Status)
}

func TestNodesAndWorkflowsFollowTheSpec(t *testing.T) {
	v := version()
	v.MarkNodeReady("model", "model-00001", "image")
	v.MarkNodeReady("none", "x", "y")
	v.MarkWorkflowNotReady("none", v1alpha1.ReasonSequenceFailed, "z")
	v.Spec.Nodes = []v1alpha1.Node{{Name: "model"}, {Name: "new"}}
	v.Spec.Workflows = nil
	v.BeginStatus()
	require.Equal(t, []v1alpha1.NodeStatus{
		{Name: "model", Ready: true, Revision: "model-00001", Image: "image"},
		{Name: "new", Reason: "Deploying"},
	}, v.Status.Nodes)
	require.Empty(t, v.Status.Workflows)
}

func TestANodeThatFailsKeepsItsRevision(t *testing.T) {
	v := version()
	ready(v)
	v.MarkNodeNotReady("etl", v1alpha1.ReasonUnschedulable, "no room")
	require.Equal(t, v1alpha1.NodeStatus{
		Name: "etl", Reason: "Unschedulable", Message: "no room", Revision: "etl-00001", Image: "example.com/image@sha256:0",
	}, v.Status.Nodes[0])
}

func TestAddress(t *testing.T) {
	v := version()
	require.Nil(t, v.Status.Address)
	ready(v)
	require.Equal(t, "http://greeter-v1.kre.svc.cluster.local", v.Status.Address.URL)
	v.MarkEntrypointNotReady(v1alpha1.ReasonDeploying, "rolls")
	require.NotNil(t, v.Status.Address, "clients wait meanwhile, or get an error")
	v.MarkStopped()
	require.Nil(t, v.Status.Address)
}

func TestMessagesAreOneShortLine(t *testing.T) {
	v := version()
	v.MarkEntrypointNotReady(v1alpha1.ReasonCrashed, "a\n\tb \xff"+strings.Repeat("ü", 3000))
	message := v.Status.Condition("EntrypointReady").Message
	require.True(t, strings.HasPrefix(message, "a b ?ü"), message)
	require.Len(t, []rune(message), 1024)
	require.True(t, strings.HasSuffix(message, "…"))
}

func TestManyNamesAreCounted(t *testing.T) {
	v := version()
	v.MarkConfigMissing("greeter-v1-config", "A", "B", "C", "D", "E", "F", "G")
	require.Equal(t, `no value in Secret "greeter-v1-config" for "A", "B", "C", "D", "E" and 2 more; set it: `+
		`kn krt config greeter-v1 -n kre --set A=VALUE --set B=VALUE --set C=VALUE --set D=VALUE --set E=VALUE`,
		v.Status.Condition("ConfigReady").Message)
}

func TestHistoryOfStates(t *testing.T) {
	v := version()
	at := func(second int64) metav1.Time { return metav1.Unix(second, 0) }
	require.True(t, v.RecordState(at(0)))
	require.False(t, v.RecordState(at(1)), "the same again")
	v.Spec.Comment = "why"
	require.True(t, v.RecordState(at(2)))
	v.Spec.State = ""
	require.True(t, v.RecordState(at(3)))
	require.Equal(t, []v1alpha1.VersionEvent{
		{Time: at(0), State: "Started"},
		{Time: at(2), State: "Started", Comment: "why"},
		{Time: at(3), State: "Stopped", Comment: "why"},
	}, v.Status.History)
	for i := range 30 {
		v.Spec.Comment = fmt.Sprint(i)
		v.RecordState(at(int64(i)))
	}
	require.Len(t, v.Status.History, 20)
	require.Equal(t, "29", v.Status.History[19].Comment, "the newest last")
}

func TestFailedSince(t *testing.T) {
	old := metav1.Unix(1000, 0)
	failed := func() *v1alpha1.Version {
		v := version()
		ready(v)
		v.MarkConfigMissing("greeter-v1-config", "CURRENCY")
		v.FinishStatus()
		v.Status.Condition("Ready").LastTransitionTime = old
		return v
	}
	t.Run("since it is not ready", func(t *testing.T) {
		since, ok := failed().FailedSince()
		require.True(t, ok)
		require.Equal(t, old.Time, since)
	})
	t.Run("since it was started again", func(t *testing.T) {
		v := failed()
		v.RecordState(metav1.Unix(2000, 0))
		since, ok := v.FailedSince()
		require.True(t, ok)
		require.Equal(t, int64(2000), since.Unix())
	})
	for name, mark := range map[string]func(*v1alpha1.Version){
		"ready":    func(*v1alpha1.Version) {},
		"deploys":  func(v *v1alpha1.Version) { v.MarkNodeNotReady("etl", v1alpha1.ReasonDeploying, "pulls") },
		"stopped":  (*v1alpha1.Version).MarkStopped,
		"stopping": (*v1alpha1.Version).MarkStopping,
	} {
		t.Run("not when it is "+name, func(t *testing.T) {
			v := version()
			ready(v)
			mark(v)
			v.FinishStatus()
			_, ok := v.FailedSince()
			require.False(t, ok)
		})
	}
}

// A version that is started now has all that its objects can have.
func TestLatestHasAllAbilities(t *testing.T) {
	all := reflect.ValueOf(v1alpha1.Latest())
	for i := range all.NumField() {
		name := all.Type().Field(i).Name
		require.Equal(t, name == "Encrypted", all.Field(i).IsZero(), name)
	}
}

// A restart onto a higher level brings something that is told, and one onto the same brings nothing.
func TestLacks(t *testing.T) {
	require.Empty(t, v1alpha1.Latest().Lacks())
	above := v1alpha1.Latest()
	above.Level++ // of a later kn-krt
	require.Empty(t, above.Lacks())
	for level := range v1alpha1.Level {
		a := v1alpha1.Latest()
		a.Level = level
		require.Len(t, a.Lacks(), int(v1alpha1.Level-level), "a text for each level")
	}
	all := v1alpha1.Abilities{}.Lacks()
	require.Len(t, all, reflect.TypeFor[v1alpha1.Abilities]().NumField()-2+int(v1alpha1.Level), "for each field but Encrypted and Level")
	require.Contains(t, all, "nodes without the entrypoint's rights on the store")
	v := version()
	v.MarkBehind("timeout", v1alpha1.KnKrt([]string{"a", "b"}))
	require.Contains(t, v.Status.Condition(v1alpha1.ConditionCurrent).Message,
		"changed since it was started: timeout, kn-krt (a restart brings: a, b); restart it to apply the change: kn krt restart ")
	require.Equal(t, "kn-krt", v1alpha1.KnKrt(nil))
}

// What a version was started with is compared by its JSON: the order of fields must stay.
func TestStartedWithKeepsItsForm(t *testing.T) {
	text, err := json.Marshal(v1alpha1.StartedWith{
		Settings: map[string]string{"a": "b"}, EntrypointImage: "e", Sequences: "s", StoreSecret: "x", QueueSecret: "q", Restart: "r",
		Abilities: v1alpha1.Abilities{Traffic: true, Kept: true, Warm: true, Patient: true, Encrypted: true, Attempts: true, Level: 1},
	})
	require.NoError(t, err)
	require.Equal(t, `{"settings":{"a":"b"},"entrypointImage":"e","sequences":"s","storeSecret":"x","queueSecret":"q","traffic":true,`+
		`"kept":true,"warm":true,"patient":true,"encrypted":true,"attempts":true,"level":1,"restart":"r"}`, string(text))
}
