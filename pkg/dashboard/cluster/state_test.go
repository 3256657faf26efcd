package cluster

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/dashboard/source"
)

const proto = `syntax = "proto3"; package house; service Entrypoint { rpc Price (M) returns (M); } message M {}`

// now is when everything in the tests happens.
var now = metav1.NewTime(time.Date(2026, 10, 1, 12, 0, 0, 0, time.UTC))

// newSeen is a started version with two nodes, of which one may be changed by mark.
func newSeen(mark func(*v1alpha1.Version)) seen {
	v := &v1alpha1.Version{
		ObjectMeta: metav1.ObjectMeta{Name: "prices", Namespace: "homes", CreationTimestamp: now, Generation: 1},
		Spec: v1alpha1.VersionSpec{
			State: v1alpha1.StateStarted, Description: "Estimates prices.", Comment: "first",
			Entrypoint: v1alpha1.Entrypoint{Proto: "p.proto", Files: []v1alpha1.ProtoFile{{Path: "p.proto", Content: proto}}},
			Nodes: []v1alpha1.Node{{Name: "etl", Image: "registry/etl", Src: "src/etl.py"},
				{Name: "model", Image: "registry/model", GPU: true,
					GPURequest: &v1alpha1.GPURequest{Resource: "nvidia.com/gpu", Count: ptr.To[int32](2)}}},
			Workflows: []v1alpha1.Workflow{{Name: "price", Entrypoint: "Price", Sequential: []string{"etl", "model"}}},
		},
	}
	v.BeginStatus()
	v.RecordState(now)
	v.MarkConfigReady()
	for _, n := range v.Spec.Nodes {
		v.MarkNodeReady(n.Name, "prices-"+n.Name+"-00001", n.Image+"@sha256:1")
	}
	v.MarkWorkflowReady("price", "http://price", "")
	v.MarkEntrypointReady("http://prices.homes.svc.cluster.local")
	v.Status.Phase = v1alpha1.PhaseStarted
	if mark != nil {
		mark(v)
	}
	v.FinishStatus()
	return seen{
		version: v,
		pods:    map[string]podCount{"etl": {pods: 2, restarts: 1}},
		methods: func() map[string]string { return methodsOf(&v.Spec.Entrypoint, v.Spec.Workflows) },
	}
}

func TestShow(t *testing.T) {
	s := newSeen(nil)
	require.Equal(t, source.Version{
		Ref:         source.Ref{Namespace: "homes", Name: "prices"},
		Description: "Estimates prices.", State: source.Ready, Phase: "Started", Created: now.Time, Comment: "first", Delivery: "Sequence",
		Address: "prices.homes.svc.cluster.local:9000", Web: "http://prices.homes.svc.cluster.local",
		Entrypoint: source.Entrypoint{State: source.Ready},
		Nodes: []source.Node{
			{Name: "etl", State: source.Ready, Pods: 2, Restarts: 1, Image: "registry/etl@sha256:1", Revision: "prices-etl-00001",
				Source: "src/etl.py"},
			{Name: "model", State: source.Asleep, GPU: true, GPUs: "2 × nvidia.com/gpu", Image: "registry/model@sha256:1",
				Revision: "prices-model-00001"},
		},
		Workflows: []source.Workflow{
			{Name: "price", Method: "house.Entrypoint/Price", Nodes: []string{"etl", "model"}, State: source.Ready},
		},
	}, s.show())
}

func TestPublishedIsTheRuntimes(t *testing.T) {
	s := newSeen(func(v *v1alpha1.Version) { v.Status.Phase = v1alpha1.PhasePublished })
	s.runtime = &v1alpha1.Runtime{Spec: v1alpha1.RuntimeSpec{PublishedVersion: "prices", Comment: "for October"}}
	s.runtime.BeginStatus()
	s.runtime.MarkPublished("prices", metav1.NewTime(now.Add(time.Minute)))
	shown := s.show()
	require.True(t, shown.Published)
	require.Equal(t, now.Add(time.Minute), shown.Since)
	require.Equal(t, "for October", shown.Comment)
	require.Equal(t, "active-entrypoint.homes.svc.cluster.local:9000", shown.Address)
	require.Empty(t, shown.Cause)
}

func TestUnknownPodsSleepNot(t *testing.T) {
	s := newSeen(nil)
	s.pods = nil
	for _, n := range s.show().Nodes {
		require.Equal(t, source.Ready, n.State)
		require.Equal(t, source.UnknownPods, n.Pods)
	}
}

func TestStates(t *testing.T) {
	crashed := "its container ended with exit code 1: boom"
	log := "; see its log: kn krt logs prices -n homes --node model"
	for name, c := range map[string]struct {
		mark                   func(*v1alpha1.Version)
		state, node, workflow  source.State
		reason, cause, next    string // of the node
		versionCause, nextStep string
	}{
		"crashed": {
			mark:  func(v *v1alpha1.Version) { v.MarkNodeNotReady("model", v1alpha1.ReasonCrashed, crashed+log) },
			state: source.Failed, node: source.Failed, workflow: source.Failed,
			reason: "Crashed", cause: crashed, next: "see its log: kn krt logs prices -n homes --node model",
			versionCause: `node "model": ` + crashed, nextStep: "see its log: kn krt logs prices -n homes --node model",
		},
		"starting": {
			mark: func(v *v1alpha1.Version) {
				v.Status.Phase = v1alpha1.PhaseStarting
				v.MarkNodeNotReady("model", v1alpha1.ReasonDeploying, "its pod is starting")
			},
			state: source.Starting, node: source.Starting, workflow: source.Starting,
			reason: "Deploying", cause: "its pod is starting", versionCause: `waiting for 1 of 2 nodes: "model"`,
		},
		"stopped": {
			mark: func(v *v1alpha1.Version) {
				v.Spec.State, v.Status.Phase = v1alpha1.StateStopped, v1alpha1.PhaseStopped
				v.MarkStopped()
			},
			state: source.Stopped, node: source.Stopped, workflow: source.Stopped,
		},
		"stopping": {
			mark: func(v *v1alpha1.Version) {
				v.Spec.State, v.Status.Phase = v1alpha1.StateStopped, v1alpha1.PhaseStopping
				v.MarkStopping()
			},
			state: source.Stopping, node: source.Stopping, workflow: source.Stopping,
		},
		"the start has failed": {
			mark: func(v *v1alpha1.Version) {
				v.Status.Phase = v1alpha1.PhaseStopped
				v.MarkNodeNotReady("model", v1alpha1.ReasonUnschedulable, "its pod cannot be scheduled; see: kubectl describe nodes")
			},
			state: source.Failed, node: source.Failed, workflow: source.Failed,
			reason: "Unschedulable", cause: "its pod cannot be scheduled", next: "see: kubectl describe nodes",
			versionCause: `node "model": its pod cannot be scheduled`, nextStep: "see: kubectl describe nodes",
		},
		"a restart is due": {
			mark:  func(v *v1alpha1.Version) { v.MarkBehind("timeout") },
			state: source.Ready, node: source.Asleep, workflow: source.Ready,
			versionCause: "changed since it was started: timeout", nextStep: "restart it to apply the change: kn krt restart prices -n homes",
		},
	} {
		t.Run(name, func(t *testing.T) {
			shown := newSeen(c.mark).show()
			require.Equal(t, c.state, shown.State)
			require.Equal(t, c.versionCause, shown.Cause)
			require.Equal(t, c.nextStep, shown.Next)
			require.Equal(t, source.Node{Name: "model", State: c.node, Reason: c.reason, Cause: c.cause, Next: c.next},
				source.Node{Name: "model", State: shown.Nodes[1].State, Reason: shown.Nodes[1].Reason,
					Cause: shown.Nodes[1].Cause, Next: shown.Nodes[1].Next})
			require.Equal(t, c.workflow, shown.Workflows[0].State)
		})
	}
}

func TestFailingPhases(t *testing.T) {
	failing := func(phase v1alpha1.Phase) string {
		return newSeen(func(v *v1alpha1.Version) {
			v.Status.Phase = phase
			v.MarkNodeNotReady("etl", v1alpha1.ReasonCrashed, "boom")
		}).show().Phase
	}
	require.Equal(t, "Published, failing", failing(v1alpha1.PhasePublished))
	require.Equal(t, "Starting, failing", failing(v1alpha1.PhaseStarting))
	require.Equal(t, "Start failed", failing(v1alpha1.PhaseStopped))
}

func TestUnobserved(t *testing.T) {
	s := newSeen(nil)
	s.version.Status = v1alpha1.VersionStatus{}
	shown := s.show()
	require.Equal(t, source.Starting, shown.State)
	require.Equal(t, source.Starting, shown.Nodes[0].State)
	require.Equal(t, source.Starting, shown.Workflows[0].State)
	require.Empty(t, shown.Address)
	s.version.Spec.State = v1alpha1.StateStopped
	require.Equal(t, source.Stopped, s.show().Nodes[0].State)
}
