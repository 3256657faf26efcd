package load_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
)

const (
	// podsOfThird is how the addresses of the third node's pods begin.
	podsOfThird = "10.244.2."
	// lostFor is for how long requests are counted once the cluster has found out.
	lostFor = 30 * time.Second
	// acceptEvery is the time between two events that are to be kept.
	acceptEvery = 100 * time.Millisecond
)

// A node of the cluster is lost as by its power, while a version of each delivery has requests. Until the
// cluster finds out, Services lead there, and some requests fail, with a status. Then none does. What
// durable delivery has accepted is done in any case.
func TestNodesLost(t *testing.T) {
	p := newNodes(t)
	p.Install()
	p.InstallQueue()
	tally := p.Tally()
	targets := deliveries()
	for _, one := range targets {
		p.version(one.name, func(v *v1alpha1.Version) {
			replicate(v, one.delivery)
			v.Spec.Nodes[0].Env = []v1alpha1.EnvVar{{Name: "TALLY", Value: tally.URL}}
		})
	}
	for _, one := range targets {
		p.Ready("version/" + one.name)
		p.requireSpread(one.name)
		one.load = startLoad(t, one.name+"."+p.Name+".svc.cluster.local", clients{rate: 3, careful: true})
	}
	s := &source{p: p, client: &http.Client{Transport: clients{careful: true}.transport()},
		url: "http://durable." + p.Name + ".svc.cluster.local/workflows/one", last: "n1"}
	end := s.begin()
	outcomes := p.lose(targets)
	end()
	last := progress(func() int { return len(tally.Missing("n1", s.accepted)) }, 0)
	requests, repeats := tally.Handled("n1")
	t.Logf("durable delivery: accepted %d, lost %d, hung %d; handled %d, %d of them again",
		len(s.accepted), last, s.hung.Load(), requests, repeats)
	assert.Zero(t, last, "accepted events that the node never got, such as %v", tally.Missing("n1", s.accepted)[:min(last, 3)])
	assert.NotEmpty(t, s.accepted)
	for _, one := range targets {
		one.tell(t, outcomes)
	}
}

// deliveries has a target of each.
func deliveries() []*target {
	return []*target{{name: "steady", delivery: v1alpha1.DeliverySequence}, {name: "direct", delivery: v1alpha1.DeliveryDirect},
		{name: "durable", delivery: v1alpha1.DeliveryDurable}}
}

// lose loses the third node of the cluster and has it come back, and returns what was when.
func (p place) lose(targets []*target) (outcomes []*outcome) {
	p.t.Helper()
	steady := func() {
		for _, one := range targets {
			one.load.steady(p)
		}
	}
	steady()
	require.NoError(p.t, p.whole(p.t.Context()))
	all := []v1alpha1.Delivery{v1alpha1.DeliverySequence, v1alpha1.DeliveryDirect, v1alpha1.DeliveryDurable}
	phase := func(name string, harms []v1alpha1.Delivery, do func(context.Context) error) {
		o := &outcome{fault: fault{name: name, harms: harms}, begun: time.Now()}
		o.failure = do(p.t.Context())
		o.ended = time.Now()
		outcomes = append(outcomes, o)
	}
	phase("a node is lost, until no Service leads there", all, func(ctx context.Context) error {
		return errors.Join(tryCluster(ctx, "stop", third), until(ctx, func() error { return p.leftOut(ctx) }), p.forgetDials())
	})
	phase("the time after that", nil, func(ctx context.Context) error { return pause(ctx, lostFor) })
	phase("it comes back", nil, func(ctx context.Context) error {
		err := errors.Join(tryCluster(ctx, "start", third), p.whole(ctx))
		steady()
		return err
	})
	return outcomes
}

// leftOut is nil once the cluster knows that the third node is lost, and no Service leads there.
func (p place) leftOut(ctx context.Context) error {
	const node = "node" + third
	var of corev1.Node
	if err := p.client.Get(ctx, client.ObjectKey{Name: node}, &of); err != nil {
		return err
	}
	for _, c := range of.Status.Conditions {
		if c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue {
			return fmt.Errorf("%s is ready", node)
		}
	}
	rules, err := exec.CommandContext(ctx, "iptables-save", "-t", "nat").CombinedOutput()
	if err != nil || strings.Contains(string(rules), podsOfThird) {
		return errors.Join(err, fmt.Errorf("kube-proxy leads to %s", podsOfThird))
	}
	var all discoveryv1.EndpointSliceList
	if err := p.client.List(ctx, &all, client.InNamespace(p.Name)); err != nil {
		return err
	}
	for i := range all.Items {
		for _, e := range all.Items[i].Endpoints {
			if e.NodeName != nil && *e.NodeName == node && (e.Conditions.Ready == nil || *e.Conditions.Ready) {
				return fmt.Errorf("%s leads to %s", all.Items[i].Name, node)
			}
		}
	}
	return nil
}

// forgetDials has the kernel forget connections that were dialled to pods of the third node. It keeps
// them for two minutes (nf_conntrack_tcp_timeout_syn_sent), and who dials the Service again from the
// same port meanwhile, as one of the hundreds of requests of this test does at times, is led to the
// same pod, whatever kube-proxy has written since.
func (p place) forgetDials() error {
	out, err := p.Try("", "conntrack", "-D", "-p", "tcp", "--state", "SYN_SENT")
	if err != nil && !strings.Contains(err.Error(), "0 flow entries") { // none is an error to it
		return err
	}
	p.t.Logf("%d connections that were dialled to the lost node are forgotten", strings.Count(out, "src="+podsOfThird))
	return nil
}

// tell reports what became of a target's requests.
func (one *target) tell(t *testing.T, outcomes []*outcome) {
	t.Helper()
	results := one.load.end()
	own := make([]*outcome, len(outcomes))
	for i, o := range outcomes {
		of := *o
		own[i] = &of
		if one.delivery != "" {
			of.harmless = !slices.Contains(o.harms, one.delivery)
		}
		of.add(results)
	}
	t.Logf("version %s\n%s", one.name, faultTable(own))
	for _, o := range own {
		o.check(t)
	}
}

// begin has events sent at a steady rate, each again until it is accepted, until end is called.
func (s *source) begin() (end func()) {
	ctx, stop := context.WithCancel(s.p.t.Context())
	var all sync.WaitGroup
	all.Go(func() {
		tick := time.NewTicker(acceptEvery)
		defer tick.Stop()
		for i := 0; ctx.Err() == nil; i++ {
			all.Go(func() { s.deliver(fmt.Sprintf("event-%d", i)) })
			select {
			case <-tick.C:
			case <-ctx.Done():
			}
		}
	})
	return func() { stop(); all.Wait() }
}
