// Package creation measures how long the controller takes to make the objects of
// versions, beside a plain client that makes the same objects, eight at a time,
// on a real apiserver: make bench-api.
package creation

import (
	"fmt"
	"net/http"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	toolscache "k8s.io/client-go/tools/cache"
	flowsv1 "knative.dev/eventing/pkg/apis/flows/v1"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/controller"
	"krt.dev/kn-krt/pkg/render"
	"krt.dev/kn-krt/test/apiserver"
)

const (
	image  = "example.com/image"
	rounds = 15 // the first is left out: it opens connections and watches
)

// BenchmarkCreation takes turns: the plain client, the controller, and the plain
// client again, whose ratio to itself is the noise of the machine.
func BenchmarkCreation(b *testing.B) {
	s := apiserver.For(b, apiserver.OurCRDs, apiserver.KnativeCRDs())
	ctrl.SetLogger(logr.Discard())
	m := &measure{}
	var err error
	m.client, err = s.NewClient()
	require.NoError(b, err)
	// Where the controller keeps the store's key.
	system := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: render.SystemNamespace}}
	require.NoError(b, client.IgnoreAlreadyExists(m.client.Create(b.Context(), system)))
	watch, err := cache.New(s.Config(), cache.Options{Scheme: apiserver.NewScheme()})
	require.NoError(b, err)
	config := s.Config()
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { return counting{next, &m.writes} })
	mgr, err := controller.New(config, controller.Options{EntrypointImage: image})
	require.NoError(b, err)
	stop := apiserver.Run(watch, mgr)
	b.Cleanup(func() { require.NoError(b, stop()) })
	m.watch(b, watch)
	for _, versions := range []int{1, 25} {
		for _, delivery := range []v1alpha1.Delivery{v1alpha1.DeliveryDirect, v1alpha1.DeliverySequence} {
			b.Run(fmt.Sprintf("versions=%d/%s", versions, delivery), func(b *testing.B) {
				ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "bench-"}}
				require.NoError(b, m.client.Create(b.Context(), ns))
				for b.Loop() {
					m.compare(b, versions, func(name string) *v1alpha1.Version { return version(ns.Name, name, delivery) })
				}
			})
		}
	}
}

// result is what the rounds have shown.
type result struct {
	plain, again, ours []time.Duration
	whole              []time.Duration // ours, with the requests that created the versions
	writes             float64         // of the controller for a version, in the last round
}

// compare reports medians of the rounds, in milliseconds, and their ratios.
func (m *measure) compare(b *testing.B, count int, one func(name string) *v1alpha1.Version) {
	b.Helper()
	var r, warm result
	for round := range rounds {
		for turn := range 3 {
			into := &r
			if round == 0 {
				into = &warm
			}
			m.turn(b, into, (turn+round)%3, count, one) // nobody is always first
		}
	}
	b.ReportMetric(0, "ns/op") // of all rounds: nothing that anybody wants to know
	b.ReportMetric(ms(r.plain), "plain-ms")
	b.ReportMetric(ms(r.ours), "ours-ms")
	b.ReportMetric(ms(r.ours)/ms(r.plain), "ratio")
	b.ReportMetric(ms(r.whole)/ms(r.plain), "ratio-with-the-versions-own-post")
	b.ReportMetric(ms(r.again)/ms(r.plain), "plain/plain")
	b.ReportMetric(r.writes, "writes/version")
}

// turn is one of a round's three.
func (m *measure) turn(b *testing.B, r *result, subject, count int, one func(name string) *v1alpha1.Version) {
	b.Helper()
	var versions, objects []client.Object
	for range count {
		m.names++
		v := one(fmt.Sprintf("v%d", m.names))
		versions, objects = append(versions, v), append(objects, rendered(b, v)...)
	}
	switch subject {
	case 0:
		took, _ := m.time(b, len(objects), objects)
		r.plain = append(r.plain, took)
	case 1:
		before := m.writes.Load()
		took, asked := m.time(b, len(objects), versions)
		m.rest(b)
		r.ours, r.whole = append(r.ours, took-asked), append(r.whole, took)
		r.writes = float64(m.writes.Load()-before) / float64(count)
		m.forget(b, versions)
	default:
		took, _ := m.time(b, len(objects), objects)
		r.again = append(r.again, took)
	}
}

func ms(times []time.Duration) float64 {
	slices.Sort(times)
	return float64(times[len(times)/2].Microseconds()) / 1000
}

// measure counts objects as they appear.
type measure struct {
	client client.Client // without a cache
	writes atomic.Int64  // requests of the controller that change something
	made   atomic.Int64
	names  int
}

// watch counts the objects of a version's kinds as they appear.
func (m *measure) watch(b *testing.B, all cache.Cache) {
	b.Helper()
	for _, kind := range []client.Object{
		&servingv1.Service{}, &flowsv1.Sequence{}, &appsv1.Deployment{}, &corev1.Service{},
		&corev1.ConfigMap{}, &corev1.Secret{}, &networkingv1.NetworkPolicy{},
	} {
		gvk, err := m.client.GroupVersionKindFor(kind)
		require.NoError(b, err)
		object := &metav1.PartialObjectMetadata{}
		object.SetGroupVersionKind(gvk)
		informer, err := all.GetInformer(b.Context(), object)
		require.NoError(b, err)
		_, err = informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{AddFunc: func(any) { m.made.Add(1) }})
		require.NoError(b, err)
	}
}

// time creates objects, and returns how long it took until so many were made
// because of that, and how long the requests took that asked for it.
func (m *measure) time(b *testing.B, want int, objects []client.Object) (took, asked time.Duration) {
	b.Helper()
	m.rest(b)
	goal, begun := m.made.Load()+int64(want), time.Now()
	m.create(b, objects)
	asked = time.Since(begun)
	tick := time.NewTicker(200 * time.Microsecond)
	defer tick.Stop()
	for m.made.Load() < goal {
		require.Less(b, time.Since(begun), time.Minute, "not all objects are made")
		<-tick.C
	}
	return time.Since(begun), asked
}

// create makes objects, eight at a time.
func (m *measure) create(b *testing.B, objects []client.Object) {
	b.Helper()
	var all errgroup.Group
	all.SetLimit(8)
	for _, object := range objects {
		all.Go(func() error { return m.client.Create(b.Context(), object) })
	}
	require.NoError(b, all.Wait())
}

// forget deletes versions: as they never get ready they would be looked at again and again.
func (m *measure) forget(b *testing.B, versions []client.Object) {
	b.Helper()
	for _, v := range versions {
		require.NoError(b, m.client.Delete(b.Context(), v))
	}
	require.Eventually(b, func() bool {
		var left v1alpha1.VersionList
		return m.client.List(b.Context(), &left) == nil && len(left.Items) == 0
	}, time.Minute, 20*time.Millisecond)
}

// rest waits until nothing comes any more and the controller has nothing to do.
func (m *measure) rest(b *testing.B) {
	b.Helper()
	last, since := int64(-1), time.Now()
	require.Eventually(b, func() bool {
		if now := m.made.Load(); now != last || working() {
			last, since = now, time.Now()
		}
		return time.Since(since) > 100*time.Millisecond
	}, time.Minute, 10*time.Millisecond)
}

// working reports whether the controller of this process has anything to do.
func working() bool {
	families, err := metrics.Registry.Gather()
	if err != nil {
		return true
	}
	for _, f := range families {
		if name := f.GetName(); name != "controller_runtime_active_workers" && name != "workqueue_depth" {
			continue
		}
		for _, one := range f.GetMetric() {
			if one.GetGauge().GetValue() > 0 {
				return true
			}
		}
	}
	return false
}

// version has three nodes and one workflow.
func version(namespace, name string, delivery v1alpha1.Delivery) *v1alpha1.Version {
	const proto = `syntax = "proto3"; service Entrypoint { rpc Greet (M) returns (M); } message M {}`
	return &v1alpha1.Version{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: namespace}, Spec: v1alpha1.VersionSpec{
		State: v1alpha1.StateStarted, Description: "For a measure.",
		Entrypoint: v1alpha1.Entrypoint{Proto: "p.proto", Files: []v1alpha1.ProtoFile{{Path: "p.proto", Content: proto}}, Delivery: delivery},
		Nodes:      []v1alpha1.Node{{Name: "a", Image: image}, {Name: "b", Image: image}, {Name: "c", Image: image}},
		Workflows:  []v1alpha1.Workflow{{Name: "greeting", Entrypoint: "Greet", Sequential: []string{"a", "b", "c"}}},
	}}
}

// rendered are all objects that the controller makes of a version as long as
// nobody runs them: by Sequence its entrypoint then waits for their addresses.
func rendered(b *testing.B, v *v1alpha1.Version) []client.Object {
	b.Helper()
	list, err := render.Objects(render.Input{Version: v, Settings: render.DefaultSettings(), EntrypointImage: image})
	require.NoError(b, err)
	objects := []client.Object{&corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: render.ReplySecretName(v.Name), Namespace: v.Namespace},
		Data:       map[string][]byte{render.ReplySecretKey: make([]byte, 32)},
	}}
	for _, object := range list {
		objects = append(objects, object)
	}
	return objects
}

// counting counts the requests that change something.
type counting struct {
	next  http.RoundTripper
	count *atomic.Int64
}

// RoundTrip implements http.RoundTripper.
func (c counting) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method != http.MethodGet {
		c.count.Add(1)
	}
	return c.next.RoundTrip(r)
}
