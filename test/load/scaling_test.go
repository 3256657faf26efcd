package load_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
)

// The entrypoint calls the pods of a node past the ingress. While there are one, four with one that is killed, one
// again, none, and one, no request is lost.
func TestNoRequestIsLostWhileANodeScales(t *testing.T) {
	p := newPlace(t)
	p.Install()
	p.Set("config-autoscaler", "knative-serving", "stable-window", "6s")
	p.version("many", func(v *v1alpha1.Version) {
		v.Spec.Entrypoint.Delivery = v1alpha1.DeliveryDirect
		// A pod that is killed closes no connection: that is noticed after 5 s.
		v.Spec.Entrypoint.Timeout = &metav1.Duration{Duration: requestTimeout + margin}
		v.Spec.Nodes[0].Scale = &v1alpha1.Scale{Max: new(int32(4)), Target: new(int32(1))}
		v.Spec.Nodes[0].Env = []v1alpha1.EnvVar{{Name: "TAKES", Value: "100ms"}}
	})
	p.Ready("version/many")
	address := "many." + p.Name + ".svc.cluster.local"
	light := startLoad(t, address, clients{rate: 1})
	light.steady(p)
	p.scaled(1)
	heavy := startLoad(t, address, clients{rate: 40}) // of 4 kinds: 16 are in flight
	p.scaled(4)
	pods, err := p.pods(t.Context(), p.Name, podsOfMany())
	require.NoError(t, err)
	require.NoError(t, p.client.Delete(t.Context(), &pods[0], client.GracePeriodSeconds(0)))
	p.scaled(4)
	p.answered("one becomes four, of which one is killed", heavy)
	p.scaled(1)
	p.answered("four become one", light)
	p.scaled(0)
	again := startLoad(t, address, clients{rate: 1})
	again.steady(p)
	p.scaled(1)
	p.answered("none becomes one", again)
}

func podsOfMany() map[string]string {
	return map[string]string{"krt.dev/version": "many", "krt.dev/node": "n1"}
}

// scaled waits until so many of the pods are ready and there to stay.
func (p place) scaled(want int) {
	p.t.Helper()
	require.NoError(p.t, until(p.t.Context(), func() error { return p.number(p.t.Context(), want) }))
}

func (p place) number(ctx context.Context, want int) error {
	pods, err := p.pods(ctx, p.Name, podsOfMany())
	if err != nil {
		return err
	}
	ready := 0
	for i := range pods {
		if podReady(&pods[i]) {
			ready++
		}
	}
	if ready != want {
		return fmt.Errorf("%d pods are ready, not %d", ready, want)
	}
	return nil
}

// answered ends a load, each of whose requests must have been answered.
func (p place) answered(when string, l *load) {
	p.t.Helper()
	results := l.end()
	p.t.Logf("%s: %d requests", when, len(results))
	for _, r := range results {
		assert.NoErrorf(p.t, r.err, "%s: %s, begun %s, took %s", when, r.kind, r.begun, r.took)
	}
}
