package load_test

import (
	"errors"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
)

const (
	// applied is how long entrypoints may take to apply a weight.
	applied = 4 * time.Second
	// counted is for how long requests are counted at each weight.
	counted = 30 * time.Second
)

// canary sets what of the requests to a goes to b, and waits until that is reported.
func (p place) canary(rt *v1alpha1.Runtime, weight int32) {
	p.t.Helper()
	require.NoError(p.t, patch(p.t.Context(), p, rt, func(rt *v1alpha1.Runtime) {
		rt.Spec.Canary = &v1alpha1.Canary{Version: "b", Weight: weight}
	}))
	p.Eventually(func() error {
		if err := p.client.Get(p.t.Context(), client.ObjectKeyFromObject(rt), rt); err != nil {
			return err
		}
		if c := rt.Status.Canary; c == nil || c.Phase != v1alpha1.CanaryServing || c.Weight != weight {
			return fmt.Errorf("the canary is %+v", c)
		}
		return nil
	})
}

// shares are the requests by the version that has responded.
func shares(results []result) (a, b, lost int) {
	for _, r := range results {
		switch {
		case r.err != nil:
			lost++
		case r.version == "b":
			b++
		default:
			a++
		}
	}
	return a, b, lost
}

// Each request is divided by itself, whatever the connection it comes by, by each of two entrypoints.
func TestCanaryWeights(t *testing.T) {
	p := newPlace(t)
	p.Install()
	for _, name := range []string{"a", "b"} {
		p.version(name, func(v *v1alpha1.Version) {
			v.Spec.Entrypoint.Delivery, v.Spec.Entrypoint.Replicas = v1alpha1.DeliveryDirect, new(int32(2))
		})
	}
	p.Ready("version/a")
	p.Ready("version/b")
	rt := &v1alpha1.Runtime{ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.RuntimeName, Namespace: p.Name}}
	require.NoError(t, p.client.Create(t.Context(), rt))
	_, _, err := p.publish(t.Context(), rt, "a")
	require.NoError(t, err)
	l := startLoad(t, "active-entrypoint."+p.Name+".svc.cluster.local", clients{rate: 12, connections: 1})
	l.steady(p)
	begin := time.Now()
	for _, weight := range []int32{1, 10, 50, 90} {
		p.canary(rt, weight)
		p.wait(applied)
		from := time.Now()
		p.wait(counted)
		a, b, lost := shares(l.since(from))
		total, share := float64(a+b), float64(weight)/100
		spread := math.Sqrt(total * share * (1 - share))
		off := (float64(b) - total*share) / spread
		t.Logf("weight %d %%: %d of %d (%.2f %%), off by %.2f standard deviations (99 %%: 2.58), lost %d",
			weight, b, a+b, 100*float64(b)/total, off, lost)
		require.Zero(t, lost)
		require.Less(t, math.Abs(off), 3.9, "this happens by chance once in ten thousand runs")
	}

	// The canary's entrypoints are killed again and again: the published version serves what they cannot.
	from := time.Now()
	for range 5 {
		pods := client.MatchingLabels{"version-name": "b-entrypoint"}
		require.NoError(t, p.client.DeleteAllOf(t.Context(), &corev1.Pod{}, client.InNamespace(p.Name), pods, client.GracePeriodSeconds(0)))
		p.wait(killEvery)
	}
	a, b, lost := shares(l.since(from))
	t.Logf("killed every %s: %d by the canary, %d by the published version, %d lost", killEvery, b, a, lost)
	p.canary(rt, 50)

	results := l.end()
	_, _, lost = shares(results)
	var failed []error
	for _, r := range results {
		if r.begun.After(begin) && r.err != nil {
			failed = append(failed, fmt.Errorf("%s at %s: %w", r.kind, r.begun.Format(time.StampMilli), r.err))
		}
	}
	t.Logf("%d requests, %d lost", len(results), lost)
	require.NoError(t, errors.Join(failed...))
}

// wait lets some time of load pass.
func (p place) wait(d time.Duration) {
	p.t.Helper()
	if err := pause(p.t.Context(), d); err != nil {
		p.t.Fatal(err)
	}
}
