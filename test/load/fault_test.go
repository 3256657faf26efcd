package load_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/test/namespace"
)

const (
	killEvery  = 5 * time.Second
	killFor    = time.Minute
	versionFor = 15 * time.Second
)

var only = flag.String("fault", "", "inflict those faults only whose name has this in it")

// fault is something that goes wrong while requests are on their way.
type fault struct {
	name    string
	inflict func(context.Context, place) error
	// harmless says that no request may be lost by it: it has no part in them.
	harmless bool
	// harms are the deliveries whose requests it may harm, where versions of several suffer it.
	harms []v1alpha1.Delivery
}

func faults() []fault {
	return []fault{
		{name: "the node's pods deleted", inflict: deleteNode},
		{name: "entrypoint pods deleted one by one", inflict: deleteEntrypoints, harmless: true},
		{name: "the in-memory dispatcher deleted", inflict: deleteDispatcher},
		{name: "the controller killed every 5 s", inflict: killController, harmless: true},
		{name: "the apiserver restarted", inflict: restartAPIServer, harmless: true},
	}
}

func TestFaults(t *testing.T) {
	p := newPlace(t)
	p.Install()
	p.version("steady", func(v *v1alpha1.Version) { v.Spec.Entrypoint.Replicas = new(int32(2)) })
	p.suffer("steady", faults())
}

// The entrypoint calls the only pod of a node straight. Whatever becomes of that
// pod, no request is lost: what cannot reach it waits at Knative's for the next.
func TestShortcutFaults(t *testing.T) {
	p := newPlace(t)
	p.Install()
	p.version("short", func(v *v1alpha1.Version) { v.Spec.Entrypoint.Delivery = v1alpha1.DeliveryDirect })
	pod := client.MatchingLabels{"krt.dev/version": "short", "krt.dev/node": "n1"}
	lose := func(options ...client.DeleteAllOfOption) func(context.Context, place) error {
		options = append(options, client.InNamespace(p.Name), pod)
		return func(ctx context.Context, p place) error {
			if err := p.client.DeleteAllOf(ctx, &corev1.Pod{}, options...); err != nil {
				return err
			}
			return until(ctx, func() error { // the old one is there until what it worked on is done
				pods, err := p.pods(ctx, p.Name, pod)
				if err == nil && (len(pods) != 1 || !podReady(&pods[0])) {
					err = fmt.Errorf("there are %d pods", len(pods))
				}
				return err
			})
		}
	}
	p.suffer("short", []fault{
		{name: "the node's only pod deleted", inflict: lose(), harmless: true},
		{name: "the node's only pod killed", inflict: lose(client.GracePeriodSeconds(0)), harmless: true},
	})
}

// suffer inflicts faults one after the other while a version has requests.
func (p place) suffer(version string, faults []fault) {
	p.t.Helper()
	p.Ready("version/" + version)
	p.inflict(faults, &target{name: version, load: startLoad(p.t, version+"."+p.Name+".svc.cluster.local", clients{rate: 8})})
}

// target is a version that has requests.
type target struct {
	name     string
	delivery v1alpha1.Delivery // one of several, "" if it suffers alone
	load     *load
}

// inflict inflicts faults one after the other, and reports what became of the requests of each version.
func (p place) inflict(faults []fault, targets ...*target) {
	p.t.Helper()
	steady := func() {
		for _, one := range targets {
			one.load.steady(p)
		}
	}
	steady()
	require.NoError(p.t, p.whole(p.t.Context()))
	before, err := p.inventory(p.t.Context())
	require.NoError(p.t, err)

	var outcomes []*outcome
	for _, f := range faults {
		if !strings.Contains(f.name, *only) {
			continue
		}
		o := &outcome{fault: f, begun: time.Now()}
		outcomes = append(outcomes, o)
		if o.failure = f.inflict(p.t.Context(), p); errors.Is(o.failure, errLeftOut) {
			continue
		}
		o.failure = errors.Join(o.failure, p.whole(p.t.Context()))
		steady()
		o.ended = time.Now()
		more, err := p.leftOver(p.t.Context(), before)
		o.left, o.failure = more, errors.Join(o.failure, err)
	}
	for _, one := range targets {
		one.tell(p.t, outcomes)
	}
}

// errLeftOut is a fault that this cluster cannot be given.
var errLeftOut = errors.New("left out")

func deleteNode(ctx context.Context, p place) error {
	return p.client.DeleteAllOf(ctx, &corev1.Pod{}, client.InNamespace(p.Name),
		client.MatchingLabels{"krt.dev/version": "steady", "krt.dev/node": "n1"})
}

func deleteEntrypoints(ctx context.Context, p place) error {
	return p.replace(ctx, map[string]string{"version-name": "steady-entrypoint"})
}

// replace deletes pods one by one.
func (p place) replace(ctx context.Context, labels map[string]string) error {
	pods, err := p.pods(ctx, p.Name, labels)
	if err != nil {
		return err
	}
	for i := range pods {
		if err := p.client.Delete(ctx, &pods[i]); err != nil {
			return err
		}
		if err := p.whole(ctx); err != nil {
			return err
		}
	}
	return nil
}

func deleteDispatcher(ctx context.Context, p place) error {
	return p.client.DeleteAllOf(ctx, &corev1.Pod{}, client.InNamespace("knative-eventing"),
		client.MatchingLabels{"messaging.knative.dev/role": "dispatcher"})
}

// killController kills the controller again and again while versions come and
// go. The last of them is there to stay until it is ready: what was killed so
// often still works.
func killController(ctx context.Context, p place) error {
	kill := time.NewTicker(killEvery)
	defer kill.Stop()
	end := time.After(killFor)
	var last *v1alpha1.Version
	next := time.Now()
	for i, done := 0, false; !done; {
		select {
		case <-kill.C:
			if err := p.killControllers(ctx); err != nil {
				return err
			}
		case <-end:
			done = true
		case <-ctx.Done():
			return ctx.Err()
		}
		if !done && time.Now().Before(next) {
			continue
		}
		if last != nil && !done {
			if err := p.client.Delete(ctx, last); err != nil {
				return err
			}
		}
		if !done {
			i++
			next = next.Add(versionFor)
			last = p.version(fmt.Sprintf("passing-%d", i), nil)
		}
	}
	if err := p.whole(ctx); err != nil {
		return err
	}
	return p.client.Delete(ctx, last)
}

// killControllers gives the controller no time to end: its lease stays behind.
func (p place) killControllers(ctx context.Context) error {
	return p.client.DeleteAllOf(ctx, &corev1.Pod{}, client.InNamespace("krt-system"),
		client.MatchingLabels{"app.kubernetes.io/name": "krt-controller"}, client.GracePeriodSeconds(0))
}

// restartAPIServer works on the cluster of `make cluster` only.
func restartAPIServer(ctx context.Context, p place) error {
	if err := restartComponent("apiserver")(ctx, p); err != nil {
		return err
	}
	var kubernetes corev1.Service
	return until(p.t.Context(), func() error {
		return p.client.Get(p.t.Context(), client.ObjectKey{Namespace: metav1.NamespaceDefault, Name: "kubernetes"}, &kubernetes)
	})
}

// until asks until there is no error.
func until(ctx context.Context, f func() error) error {
	ctx, cancel := context.WithTimeout(ctx, namespace.Patience)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		err := f()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("not within %s: %w", namespace.Patience, err)
		case <-tick.C:
		}
	}
}
