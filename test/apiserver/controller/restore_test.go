package controller

import (
	"testing"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	flowsv1 "knative.dev/eventing/pkg/apis/flows/v1"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/test/apiserver"
)

func quantity(n int64) resource.Quantity { return *resource.NewQuantity(n, resource.DecimalSI) }

func restored(p *place) {
	p.version("v")
	p.started("v")
	for name, object := range map[string]client.Object{
		"v-node": &servingv1.Service{}, "v-greeting": &flowsv1.Sequence{}, "v-entrypoint": &appsv1.Deployment{},
		"v-reply": &corev1.Service{}, "v": &corev1.Service{},
	} {
		require.True(p, p.read(name, object))
		uid := object.GetUID()
		require.NoError(p, p.Delete(p.Context(), object))
		require.Truef(p, p.soon(func() bool { return p.read(name, object) && object.GetUID() != uid }), "%T %q is not made again", object, name)
		require.NotEmpty(p, object.GetOwnerReferences())
	}
	config := p.content("v")
	require.True(p, *config.Immutable)
	require.NoError(p, p.Delete(p.Context(), config))
	again := &corev1.ConfigMap{}
	require.True(p, p.soon(func() bool { return p.read(config.Name, again) && again.UID != config.UID }), "it is not made again")
	require.Equal(p, config.Data, again.Data)
	node := &servingv1.Service{}
	p.patch(&servingv1.Service{ObjectMeta: metav1.ObjectMeta{Name: "v-node"}},
		`{"spec": {"template": {"spec": {"containers": [{"name": "user-container", "image": "example.com/other"}]}}}}`)
	require.True(p, p.soon(func() bool {
		return p.read("v-node", node) && node.Spec.Template.Spec.Containers[0].Image == "example.com/node"
	}), "it is written again")
	p.started("v")
}

// adopted: a controller of before rendered otherwise, under the same owner.
func adopted(p *place) {
	p.version("v", stopped)
	v := p.phase("v", v1alpha1.PhaseStopped)
	owner := *metav1.NewControllerRef(v, v1alpha1.GroupVersion.WithKind("Version"))
	labels := map[string]string{"app.kubernetes.io/managed-by": "kn-krt", "old": "label"}
	old := &servingv1.Service{ObjectMeta: metav1.ObjectMeta{Name: "v-node", Namespace: p.namespace, Labels: labels,
		OwnerReferences: []metav1.OwnerReference{owner}}}
	old.Spec.Template.Spec.Containers = []corev1.Container{{Image: "example.com/old"}}
	gone := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "v-former", Namespace: p.namespace, Labels: labels,
		OwnerReferences: []metav1.OwnerReference{owner}}}
	p.patch(&v1alpha1.Version{ObjectMeta: metav1.ObjectMeta{Name: "v"}}, `{"spec": {"state": "Started"}}`)
	require.NoError(p, client.IgnoreAlreadyExists(p.Create(p.Context(), old, client.FieldOwner("kn-krt"))))
	require.NoError(p, p.Create(p.Context(), gone))
	p.started("v")
	node := &servingv1.Service{}
	require.True(p, p.soon(func() bool {
		return p.read("v-node", node) && node.Spec.Template.Spec.Containers[0].Image == "example.com/node"
	}))
	p.gone("v-former", &corev1.ConfigMap{})
}

// TestRestart has a second controller find everything done.
func TestRestart(t *testing.T) {
	apiserver.Need(t)
	p := newPlace(t, shared)
	first := shared.start(t)
	p.secret("v-config", map[string]string{"CURRENCY": "EUR", "CERT": "x"})
	p.version("v", configured)
	p.version("w", direct)
	p.version("halted", stopped)
	p.started("v")
	p.started("w")
	p.phase("halted", v1alpha1.PhaseStopped)
	p.publish("v")
	p.phase("v", v1alpha1.PhasePublished)
	first.rests(t, p.namespace)
	first.stop()

	second := shared.start(t)
	// A change that matters to nobody has every version looked at; the one of the
	// spec shows that the controller works, and is answered by one write.
	for _, name := range []string{"v", "w", "halted"} {
		p.patch(&v1alpha1.Version{ObjectMeta: metav1.ObjectMeta{Name: name}}, `{"metadata": {"annotations": {"touched": "yes"}}}`)
	}
	p.patch(&v1alpha1.Version{ObjectMeta: metav1.ObjectMeta{Name: "w"}}, `{"spec": {"comment": "look"}}`)
	w := p.until("w", func(v *v1alpha1.Version) bool { return v.Status.ObservedGeneration == v.Generation })
	require.True(t, w.IsReady())
	calls, _ := second.since(0, p.namespace)
	for _, call := range calls { // one, and one more if that met an older cache and was refused
		require.Equal(t, "PATCH /apis/krt.dev/v1alpha1/namespaces/"+p.namespace+"/versions/w/status", call)
	}
}
