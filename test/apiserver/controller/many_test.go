package controller

import (
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	flowsv1 "knative.dev/eventing/pkg/apis/flows/v1"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/test/apiserver"
)

// TestManyVersions starts many versions of three nodes, KRT_VERSIONS of them, and
// has a second controller find all of them done. It logs what the making took, and
// what the same objects take by a plain client, eight at a time.
func TestManyVersions(t *testing.T) {
	apiserver.Need(t)
	count, err := strconv.Atoi(os.Getenv("KRT_VERSIONS"))
	if err != nil {
		count = 10
	}
	p := newPlace(t, shared)
	first := shared.start(t)
	began := time.Now()
	names := make([]string, count)
	var all errgroup.Group
	all.SetLimit(8)
	for i := range names {
		names[i] = fmt.Sprintf("v%d", i)
		all.Go(func() error {
			p.version(names[i], threeNodes)
			return nil
		})
	}
	require.NoError(t, all.Wait())
	objects := []client.ObjectList{&servingv1.ServiceList{}, &flowsv1.SequenceList{}, &corev1.ServiceList{}, &networkingv1.NetworkPolicyList{}, &corev1.ConfigMapList{}, &appsv1.DeploymentList{}}
	for _, name := range names {
		p.there(name+"-entrypoint", &appsv1.Deployment{})
	}
	made := time.Since(began)
	for _, name := range names {
		p.started(name)
	}
	t.Logf("%d versions: objects made in %s, ready in %s", count, made, time.Since(began))
	first.stop()

	second := shared.start(t)
	p.patch(&v1alpha1.Version{ObjectMeta: metav1.ObjectMeta{Name: names[0]}}, `{"spec": {"comment": "look"}}`)
	p.until(names[0], func(*v1alpha1.Version) bool { return true })
	p.ask(names[count-1], v1alpha1.StateStopped) // takes until all before it in the queue have been looked at
	p.phase(names[count-1], v1alpha1.PhaseStopped)
	calls, _ := second.since(0, p.namespace)
	for _, name := range names[1 : count-1] {
		for _, call := range calls {
			require.NotContains(t, call+"/", "/versions/"+name+"/")
			require.NotContains(t, call, "/"+name+"-")
		}
	}
	t.Logf("%d versions by client: %s", count, plain(p, objects))
}

func threeNodes(v *v1alpha1.Version) {
	v.Spec.Nodes = nil
	for _, name := range []string{"a", "b", "c"} {
		v.Spec.Nodes = append(v.Spec.Nodes, v1alpha1.Node{Name: name, Image: "example.com/node"})
	}
	v.Spec.Workflows[0].Sequential = []string{"a", "b", "c"}
}

// plain makes the same objects in another namespace.
func plain(p *place, lists []client.ObjectList) time.Duration {
	p.Helper()
	other := newPlace(p.T, p.cluster)
	var objects []client.Object
	for _, list := range lists {
		require.NoError(p, p.List(p.Context(), list, client.InNamespace(p.namespace)))
		require.NoError(p, meta.EachListItem(list, func(o runtime.Object) error {
			object := o.(client.Object)
			object.SetNamespace(other.namespace)
			object.SetResourceVersion("")
			object.SetUID("")
			object.SetOwnerReferences(nil)
			if s, ok := object.(*corev1.Service); ok {
				s.Spec.ClusterIP, s.Spec.ClusterIPs = "", nil
			}
			objects = append(objects, object)
			return nil
		}))
	}
	began := time.Now()
	var all errgroup.Group
	all.SetLimit(8)
	for _, object := range objects {
		all.Go(func() error { return p.Create(p.Context(), object) })
	}
	require.NoError(p, all.Wait())
	took := time.Since(began)
	p.Logf("%d objects", len(objects))
	return took
}
