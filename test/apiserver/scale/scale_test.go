package scale

import (
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/controller"
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
	looked, quiet := -1.0, 0
	c.until("the controller rests", func() bool { // an event may be on its way when it has nothing to do
		if n := reconciled(t); n != looked || !resting() {
			looked, quiet = n, 0
			return false
		}
		quiet++
		return quiet >= 20
	})
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
