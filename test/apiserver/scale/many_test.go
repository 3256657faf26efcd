package scale

import (
	"flag"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/render"
	"krt.dev/kn-krt/test/apiserver/pretend"
)

// How many versions TestMany has, of five nodes each: with KRT_SCALE 2,000 in 200 namespaces.
var (
	manyVersions   = flag.Int("versions", 40, "how many versions TestMany makes")
	manyNamespaces = flag.Int("namespaces", 10, "in how many namespaces")
	profiles       = flag.String("profiles", "", "a folder for profiles of the controller's heap")
)

func TestMany(t *testing.T) {
	if full() && *manyVersions == 40 {
		*manyVersions, *manyNamespaces = 2000, 200
	}
	f := &fleet{cluster: start(t), versions: *manyVersions, namespaces: *manyNamespaces, nodes: 5}
	f.install()
	f.run(pretend.New(f.config))
	ours := f.startController(f.server.As(render.SystemNamespace, "krt-controller"))

	begun := time.Now()
	f.make()
	t.Logf("%d versions were created in %d namespaces after %s", f.versions, f.namespaces, since(begun))
	f.untilReady(f.ready())
	t.Logf("%d were ready after %s; the other namespaces do not allow their Secrets to be read", f.ready(), since(begun))
	f.requireForbidden()
	var rest []client.Object
	for i := range f.namespaces {
		if f.forbidden(i) {
			rest = append(rest, secretsIn(f.namespaceOf(i)))
		}
	}
	begun = time.Now()
	f.create(rest)
	f.untilReady(f.versions)
	t.Logf("%d more were ready %s after that was allowed", f.versions-f.ready(), since(begun))
	f.untilResting(ours)
	ours.report("after creating them")
	t.Logf("a whole cluster has %d Revisions and pods more", f.populate())
	f.untilResting(ours)
	ours.report("with these")
	require.NoError(t, ours.Stop())

	ours = f.startController(f.server.As(render.SystemNamespace, "krt-controller"))
	f.untilLooked(ours, float64(f.versions))
	t.Logf("a new controller has looked at all after %s", since(ours.begun))
	ours.report("after a restart")
	require.Zero(t, ours.counts().writes, "a restart writes nothing")
	f.change(ours)
	f.settings(ours)
}

func since(begun time.Time) time.Duration { return time.Since(begun).Round(time.Millisecond) }

func (f *fleet) untilReady(n int) {
	f.Helper()
	ready := 0
	require.Eventually(f, func() bool {
		var list v1alpha1.VersionList
		if err := f.client.List(f.Context(), &list); err != nil {
			return false
		}
		ready = 0
		for i := range list.Items {
			if v := &list.Items[i]; v.IsReady() && v.Status.Phase == v1alpha1.PhaseStarted {
				ready++
			}
		}
		return ready >= n
	}, 40*time.Minute, time.Second, "%d versions are ready", n)
	require.Equal(f, n, ready)
}

// requireForbidden checks that the versions of a namespace without the right report that.
func (f *fleet) requireForbidden() {
	f.Helper()
	for i := range f.versions {
		if !f.forbidden(i) {
			continue
		}
		var v v1alpha1.Version
		f.until("the missing right is reported", func() bool {
			require.NoError(f, f.client.Get(f.Context(), client.ObjectKey{Namespace: f.namespaceOf(i), Name: fmt.Sprintf("v%d", i)}, &v))
			c := v.Status.Condition(v1alpha1.ConditionConfigReady)
			return c != nil && c.Status == metav1.ConditionFalse && c.Reason == v1alpha1.ReasonConfigUnreadable
		})
	}
}

// untilLooked waits until versions were looked at so many times, and none waits for it.
func (f *fleet) untilLooked(p *child, times float64) {
	f.Helper()
	require.Eventually(f, func() bool { n := p.counts(); return n.looks >= times && n.active == 0 }, 20*time.Minute, 200*time.Millisecond)
}

// untilResting waits until nothing was looked at for two seconds. It asks seldom: what it asks for costs
// the controller more than most of what is measured.
func (f *fleet) untilResting(p *child) {
	f.Helper()
	quiet := 0
	before := -1.0
	require.Eventually(f, func() bool {
		n := p.counts()
		if n.active > 0 || n.looks != before {
			before, quiet = n.looks, 0
			return false
		}
		quiet++
		return quiet >= 2
	}, 10*time.Minute, time.Second, "the controller rests")
}

// change changes one version after the other: what another has changed is restored, and nothing
// else is looked at.
func (f *fleet) change(p *child) {
	f.Helper()
	f.untilResting(p)
	const times = 10
	before, used := p.counts(), p.used()
	var took []time.Duration
	for i := range times {
		key := client.ObjectKey{Namespace: f.namespaceOf(i), Name: render.EntrypointServiceName(fmt.Sprintf("v%d", i))}
		service := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: key.Name, Namespace: key.Namespace}}
		begun := time.Now()
		require.NoError(f, f.client.Patch(f.Context(), service, client.RawPatch("application/merge-patch+json",
			[]byte(`{"spec": {"selector": {"version-name": "another"}}}`))))
		f.until("it is restored", func() bool {
			require.NoError(f, f.client.Get(f.Context(), key, service))
			return service.Spec.Selector["version-name"] != "another"
		})
		took = append(took, time.Since(begun))
	}
	f.untilResting(p)
	after := p.counts()
	slices.Sort(took)
	f.Logf("what was changed in one version was restored after %s (median; most %s) by %.1f reconciles and %.1f writes, and %s of CPU",
		took[times/2].Round(time.Millisecond), took[times-1].Round(time.Millisecond), (after.looks-before.looks)/times,
		(after.writes-before.writes)/times, ((p.used() - used) / times).Round(time.Millisecond))
	// A change and what restores it are seen one by one on a busy machine; all versions would be f.versions times as many.
	require.LessOrEqual(f, after.looks-before.looks, float64(8*times), "no other version is looked at")
}

// settings changes a setting that started versions do not follow.
func (f *fleet) settings(p *child) {
	f.Helper()
	before, used, begun := p.counts(), p.used(), time.Now()
	f.create([]client.Object{&corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: render.SettingsName, Namespace: render.SystemNamespace}, Data: map[string]string{"timeout": "31s"}}})
	f.untilLooked(p, before.looks+float64(f.versions))
	after := p.counts()
	f.Logf("a setting was read for all within %s and %s of CPU, with %.0f writes", since(begun), (p.used() - used).Round(time.Millisecond),
		after.writes-before.writes)
	p.report("after that")
}
