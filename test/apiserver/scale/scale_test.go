package scale

import (
	"fmt"
	"os"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	toolscache "k8s.io/client-go/tools/cache"
	flowsv1 "knative.dev/eventing/pkg/apis/flows/v1"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/controller"
	"krt.dev/kn-krt/pkg/render"
	"krt.dev/kn-krt/test/apiserver/pretend"
)

const image = "example.com/entrypoint"

// full reports whether the whole measure is wanted: it takes minutes.
func full() bool { return os.Getenv("KRT_SCALE") != "" }

func options() controller.Options { return controller.Options{EntrypointImage: image} }

// version has three nodes and one workflow.
func version(namespace, name string, delivery v1alpha1.Delivery) *v1alpha1.Version {
	const proto = `syntax = "proto3"; service Entrypoint { rpc Greet (M) returns (M); } message M {}`
	return &v1alpha1.Version{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: namespace}, Spec: v1alpha1.VersionSpec{
		State: v1alpha1.StateStarted, Description: "For tests.",
		Entrypoint: v1alpha1.Entrypoint{Proto: "p.proto", Files: []v1alpha1.ProtoFile{{Path: "p.proto", Content: proto}}, Delivery: delivery},
		Nodes:      []v1alpha1.Node{{Name: "a", Image: image}, {Name: "b", Image: image}, {Name: "c", Image: image}},
		Workflows:  []v1alpha1.Workflow{{Name: "greeting", Entrypoint: "Greet", Sequential: []string{"a", "b", "c"}}},
	}}
}

// create makes objects, eight at a time.
func (c *cluster) create(objects []client.Object) {
	c.Helper()
	var all errgroup.Group
	all.SetLimit(8)
	for _, object := range objects {
		all.Go(func() error { return c.client.Create(c.Context(), object) })
	}
	require.NoError(c, all.Wait())
}

func (c *cluster) until(what string, ok func() bool) {
	c.Helper()
	require.Eventually(c, ok, 5*time.Minute, 50*time.Millisecond, what)
}

// A controller that starts finds all as it left it.
func TestARestartWritesNothing(t *testing.T) {
	c := start(t)
	versions := 20
	if full() {
		versions = 200
	}
	namespace := c.namespace()
	c.run(pretend.New(c.config))
	stop := c.run(controller.New(c.config, options()))
	var objects []client.Object
	for i := range versions {
		objects = append(objects, version(namespace, fmt.Sprintf("v%d", i), v1alpha1.DeliverySequence))
	}
	begun := time.Now()
	c.create(objects)
	c.until("all versions are ready", func() bool {
		var list v1alpha1.VersionList
		require.NoError(t, c.client.List(t.Context(), &list, client.InNamespace(namespace)))
		return !slices.ContainsFunc(list.Items, func(v v1alpha1.Version) bool { return !v.IsReady() || v.Status.Phase != v1alpha1.PhaseStarted })
	})
	t.Logf("%d versions were ready after %s", versions, time.Since(begun).Round(time.Millisecond))
	c.until("the controller rests", resting)
	stop()

	var w writes
	before := reconciled(t)
	begun = time.Now()
	c.run(controller.New(w.watched(c.config), options()))
	c.until("all are looked at again", func() bool { return reconciled(t) >= before+float64(versions) && resting() })
	t.Logf("a new controller has looked at all after %s, with %d writes", time.Since(begun).Round(time.Millisecond), len(w.list()))
	require.Empty(t, w.list())
}

// reconciled is how many times a version has been looked at in this process.
func reconciled(t *testing.T) (total float64) {
	t.Helper()
	families, err := metrics.Registry.Gather()
	require.NoError(t, err)
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() != "controller_runtime_reconcile_total" {
				continue
			}
			for _, label := range m.GetLabel() {
				if label.GetName() == "controller" && label.GetValue() == "version" {
					total += m.GetCounter().GetValue()
				}
			}
		}
	}
	return total
}

// resting reports whether no controller of this process has anything to do now.
func resting() bool {
	families, err := metrics.Registry.Gather()
	if err != nil {
		return false
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			switch f.GetName() {
			case "controller_runtime_active_workers", "workqueue_depth":
				if m.GetGauge().GetValue() > 0 {
					return false
				}
			}
		}
	}
	return true
}

// maker counts the objects that appear.
type maker struct {
	*cluster
	made atomic.Int64
}

func newMaker(c *cluster) *maker {
	c.Helper()
	m := &maker{cluster: c}
	all, err := cache.New(c.config, cache.Options{Scheme: c.scheme})
	require.NoError(c, err)
	go func() { _ = all.Start(c.Context()) }()
	for _, kind := range []client.Object{
		&servingv1.Service{}, &flowsv1.Sequence{}, &appsv1.Deployment{}, &corev1.Service{}, &corev1.ConfigMap{}, &corev1.Secret{}, &networkingv1.NetworkPolicy{},
	} {
		gvk, err := c.client.GroupVersionKindFor(kind)
		require.NoError(c, err)
		object := &metav1.PartialObjectMetadata{}
		object.SetGroupVersionKind(gvk)
		informer, err := all.GetInformer(c.Context(), object)
		require.NoError(c, err)
		_, err = informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{AddFunc: func(any) { m.made.Add(1) }})
		require.NoError(c, err)
	}
	return m
}

// time is how long it takes from begin until so many more objects are there.
func (m *maker) time(objects int, begin func()) time.Duration {
	m.Helper()
	last := int64(-1)
	m.until("nothing comes any more", func() bool {
		n := m.made.Load()
		quiet := n == last && resting()
		last = n
		return quiet
	})
	want, begun := m.made.Load()+int64(objects), time.Now()
	begin()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for m.made.Load() < want {
		require.Less(m, time.Since(begun), 5*time.Minute, "not all objects are made")
		<-tick.C
	}
	return time.Since(begun)
}

// rendered are all objects of versions, as the controller makes them.
func rendered(t *testing.T, versions []*v1alpha1.Version) (objects []client.Object) {
	t.Helper()
	for _, v := range versions {
		list, err := render.Objects(render.Input{Version: v, Settings: render.DefaultSettings(), EntrypointImage: image})
		require.NoError(t, err)
		for _, object := range list {
			objects = append(objects, object)
		}
		objects = append(objects, &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Name: render.ReplySecretName(v.Name), Namespace: v.Namespace},
			Data:       map[string][]byte{render.ReplySecretKey: make([]byte, 32)},
		})
	}
	return objects
}

// What the controller takes to make all objects of versions, beside a plain
// client that makes the same ones eight at a time (7-performance: 1.25).
func TestCreationBesideAPlainClient(t *testing.T) {
	if !full() {
		t.Skip("a measure, not a test: KRT_SCALE=1 make test-api runs it")
	}
	c := start(t)
	c.run(controller.New(c.config, options()))
	m := newMaker(c)
	namespace := c.namespace()
	const rounds = 9 // the first is left out: it opens connections and watches
	for _, size := range []int{1, 25} {
		var plain, ours, creation []time.Duration
		for round := range rounds {
			for i := range 2 {
				var versions []*v1alpha1.Version
				for k := range size {
					versions = append(versions, version(namespace, fmt.Sprintf("v%d-%d-%d-%d", size, round, i, k), v1alpha1.DeliveryDirect))
				}
				objects := rendered(t, versions)
				if (i+round)%2 == 0 {
					plain = append(plain, m.time(len(objects), func() { c.create(objects) }))
					continue
				}
				wanted := make([]client.Object, 0, len(versions))
				for _, v := range versions {
					wanted = append(wanted, v)
				}
				ours = append(ours, m.time(len(objects), func() {
					begun := time.Now()
					c.create(wanted)
					creation = append(creation, time.Since(begun))
				}))
			}
		}
		p, o, v := median(plain[1:]), median(ours[1:]), median(creation[1:])
		t.Logf("%d versions of %d objects: a plain client %s; the controller %s, of which creating the versions took %s: ratio %.2f, without that %.2f",
			size, len(rendered(t, []*v1alpha1.Version{version("x", "v", v1alpha1.DeliveryDirect)})), p, o, v,
			float64(o)/float64(p), float64(o-v)/float64(p))
	}
}

func median(list []time.Duration) time.Duration {
	slices.Sort(list)
	return list[len(list)/2].Round(100 * time.Microsecond)
}
