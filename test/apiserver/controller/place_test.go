package controller

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/test/apiserver"
)

// place is a namespace of one test's own.
type place struct {
	*testing.T
	*cluster
	namespace string
}

func newPlace(t *testing.T, c *cluster) *place {
	t.Helper()
	return &place{T: t, cluster: c, namespace: apiserver.NewNamespace(t, c)}
}

const proto = `syntax = "proto3"; service Entrypoint { rpc Greet (M) returns (M); rpc Stream (M) returns (stream M); ` +
	`rpc Upload (stream M) returns (M); } message M {}`

// version makes a started version of one node and one workflow, after some changes.
func (p *place) version(name string, changes ...func(*v1alpha1.Version)) {
	p.Helper()
	v := &v1alpha1.Version{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: p.namespace}, Spec: v1alpha1.VersionSpec{
		State: v1alpha1.StateStarted, Description: "For tests.",
		Entrypoint: v1alpha1.Entrypoint{Proto: "p.proto", Files: []v1alpha1.ProtoFile{{Path: "p.proto", Content: proto}}},
		Nodes:      []v1alpha1.Node{{Name: "node", Image: "example.com/node"}},
		Workflows:  []v1alpha1.Workflow{{Name: "greeting", Entrypoint: "Greet", Sequential: []string{"node"}}},
	}}
	for _, change := range changes {
		change(v)
	}
	require.NoError(p, p.Create(p.Context(), v))
}

func stopped(v *v1alpha1.Version) { v.Spec.State = v1alpha1.StateStopped }
func direct(v *v1alpha1.Version)  { v.Spec.Entrypoint.Delivery = v1alpha1.DeliveryDirect }
func gpu(v *v1alpha1.Version)     { v.Spec.Nodes[0].GPU = true }
func image(name string) func(*v1alpha1.Version) {
	return func(v *v1alpha1.Version) { v.Spec.Nodes[0].Image = name }
}

func configured(v *v1alpha1.Version) {
	v.Spec.Config = v1alpha1.Config{Variables: []string{"CURRENCY"}, Files: []string{"CERT"}}
}

func (p *place) ask(name string, state v1alpha1.State) {
	p.Helper()
	p.patch(&v1alpha1.Version{ObjectMeta: metav1.ObjectMeta{Name: name}},
		fmt.Sprintf(`{"spec": {"state": %q, "comment": "asked for %s"}}`, state, state))
}

// patch is a JSON merge patch of an object of which the name is given.
func (p *place) patch(object client.Object, text string) {
	p.Helper()
	object.SetNamespace(p.namespace)
	require.NoError(p, p.Patch(p.Context(), object, client.RawPatch(types.MergePatchType, []byte(text))))
}

// content is the ConfigMap that the pods of a version's entrypoint mount.
func (p *place) content(version string) *corev1.ConfigMap {
	p.Helper()
	found := &corev1.ConfigMap{}
	require.True(p, p.soon(func() bool {
		d := &appsv1.Deployment{}
		return p.read(version+"-entrypoint", d) && p.read(d.Spec.Template.Spec.Volumes[0].ConfigMap.Name, found)
	}), "no configuration of version %q", version)
	return found
}

// contents are the names of all of them, sorted.
func (p *place) contents(version string) (names []string) {
	p.Helper()
	var list corev1.ConfigMapList
	require.NoError(p, p.List(p.Context(), &list, client.InNamespace(p.namespace), client.MatchingLabels{"krt.dev/version": version}))
	for _, m := range list.Items {
		if m.Data["entrypoint.json"] != "" {
			names = append(names, m.Name)
		}
	}
	slices.Sort(names)
	return names
}

// publish sets the pointer, as kn krt publish does.
func (p *place) publish(version string) {
	p.Helper()
	rt := &v1alpha1.Runtime{ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.RuntimeName, Namespace: p.namespace}}
	require.NoError(p, client.IgnoreAlreadyExists(p.Create(p.Context(), rt)))
	p.patch(rt, fmt.Sprintf(`{"spec": {"publishedVersion": %q}}`, version))
}

// remove deletes an object of which the name is given.
func (p *place) remove(object client.Object) {
	p.Helper()
	object.SetNamespace(p.namespace)
	require.NoError(p, p.Delete(p.Context(), object, client.PropagationPolicy(metav1.DeletePropagationBackground)))
}

// read reads an object of a name, and reports whether it is there.
func (p *place) read(name string, into client.Object) bool {
	p.Helper()
	err := p.Get(p.Context(), types.NamespacedName{Namespace: p.namespace, Name: name}, into)
	if apierrors.IsNotFound(err) {
		return false
	}
	require.NoError(p, err)
	return true
}

// until waits for a state of a version, and returns it.
func (p *place) until(name string, ok func(*v1alpha1.Version) bool) *v1alpha1.Version {
	p.Helper()
	v := &v1alpha1.Version{}
	for !p.soon(func() bool { return p.read(name, v) && v.Status.ObservedGeneration == v.Generation && ok(v) }) {
		require.FailNowf(p, "the version did not become so", "%s: phase %s, %+v", name, v.Status.Phase, v.Status)
	}
	return v
}

// phase waits for a phase.
func (p *place) phase(name string, phase v1alpha1.Phase) *v1alpha1.Version {
	p.Helper()
	return p.until(name, func(v *v1alpha1.Version) bool { return v.Status.Phase == phase })
}

// started waits until a version is started and ready.
func (p *place) started(name string) *v1alpha1.Version {
	p.Helper()
	return p.until(name, func(v *v1alpha1.Version) bool { return v.Status.Phase == v1alpha1.PhaseStarted && v.IsReady() })
}

// failed waits until a start has failed for a reason, and returns what Ready says.
func (p *place) failed(name, reason string) string {
	p.Helper()
	v := p.until(name, func(v *v1alpha1.Version) bool {
		c := v.Status.Condition(v1alpha1.ConditionReady)
		require.NotEqual(p, v1alpha1.PhaseStarted, v.Status.Phase, "a failed start is never shown as started")
		return v.Status.Phase == v1alpha1.PhaseStopped && c.Status == metav1.ConditionFalse && c.Reason == reason
	})
	return v.Status.Condition(v1alpha1.ConditionReady).Message
}

// gone waits until an object is not there.
func (p *place) gone(name string, object client.Object) {
	p.Helper()
	require.Truef(p, p.soon(func() bool { return !p.read(name, object) }), "%T %q is still there", object, name)
}

// there waits until an object is there.
func (p *place) there(name string, object client.Object) {
	p.Helper()
	require.Truef(p, p.soon(func() bool { return p.read(name, object) }), "%T %q is not there", object, name)
}

// soon polls, for [apiserver.Patience] at most.
func (p *place) soon(ok func() bool) bool { return apiserver.Soon(p.Context(), ok) }
