package load_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/test/conformance/node"
)

const (
	rounds    = 5
	roundTime = 2 * time.Second
	kilobyte  = 1024

	rawSequence  = "raw Sequence"
	ourSequence  = "version, Sequence"
	ourDirect    = "version, Direct"
	ourOnePod    = "version, Direct, one pod each" // fixed: called past queue-proxy
	bareIngress  = "bare calls, through the ingress"
	bareProxies  = "bare calls, to the queue-proxies"
	barePods     = "bare calls, straight to the containers"
	rawAgain     = "raw Sequence again" // A/A: what the machine's noise is
	bySequence   = 1.10                 // at most
	directFaster = 3.0                  // at least: past the ingress
	podFaster    = 5.0                  // at least: past queue-proxy too
)

// versions are what is measured of ours, and how each differs.
var versions = []struct {
	name, subject string
	delivery      v1alpha1.Delivery
	most          int32 // pods of each node
}{
	{"ours", ourSequence, v1alpha1.DeliverySequence, 1},
	{"direct", ourDirect, v1alpha1.DeliveryDirect, 2},
	{"one", ourOnePod, v1alpha1.DeliveryDirect, 1},
}

// subject takes turns with others under the same load.
type subject struct {
	name string
	call func(context.Context) error
	cpu  func() (time.Duration, error)
	// By callers at once, one value a round.
	rate, cost map[int][]float64
	took       map[int][]time.Duration
}

// TestOverhead compares requests a second of 1 KB through three steps: a Sequence
// of bare nodes with a bare poster and sink, versions with our entrypoint and
// runners, and bare calls of bare nodes, below which no direct delivery gets. It
// prints ratios; the machine is nobody's alone, so none is required.
func TestOverhead(t *testing.T) {
	p := newPlace(t)
	p.Install()
	subjects := p.subjects()
	var text strings.Builder
	for _, callers := range []int{1, 16, 64} {
		for round := range rounds + 1 { // the first one warms
			for i := range subjects {
				s := subjects[(i+round)%len(subjects)] // nobody is always first
				require.NoError(t, s.measure(t.Context(), callers, round > 0), s.name)
			}
		}
	}
	report(&text, subjects)
	t.Log("\n" + text.String())
}

func (p place) subjects() []*subject {
	p.t.Helper()
	raw := newRaw(p)
	for _, ours := range versions {
		p.version(ours.name, func(v *v1alpha1.Version) {
			v.Spec.Entrypoint.Delivery = ours.delivery
			v.Spec.Nodes[0].Scale.Max = &ours.most
			first := v.Spec.Nodes[0]
			for _, next := range []string{"n2", "n3"} {
				first.Name = next
				v.Spec.Nodes = append(v.Spec.Nodes, first)
			}
			v.Spec.Workflows = []v1alpha1.Workflow{{Name: "three", Entrypoint: "Three", Sequential: []string{"n1", "n2", "n3"}}}
		})
	}
	raw.start(p)
	const dispatcher = "knative-eventing/messaging.knative.dev/role=dispatcher"
	bare := p.Name + "/bare=yes"
	all := []*subject{{name: rawSequence, call: raw.call, cpu: p.cpu(dispatcher, bare)}}
	for _, ours := range versions {
		p.Ready("version/" + ours.name)
		pods := []string{p.Name + "/krt.dev/version=" + ours.name}
		if ours.delivery == v1alpha1.DeliverySequence {
			pods = append(pods, dispatcher)
		}
		all = append(all, &subject{name: ours.subject, call: p.caller(ours.name), cpu: p.cpu(pods...)})
	}
	all = append(all,
		&subject{name: bareIngress, call: raw.calls(p.bareServices()), cpu: p.cpu(bare)},
		&subject{name: bareProxies, call: raw.calls(p.barePods("8012")), cpu: p.cpu(bare)},
		&subject{name: barePods, call: raw.calls(p.barePods("8080")), cpu: p.cpu(bare)},
		&subject{name: rawAgain, call: raw.call, cpu: p.cpu(dispatcher, bare)})
	for _, s := range all {
		s.rate, s.cost, s.took = map[int][]float64{}, map[int][]float64{}, map[int][]time.Duration{}
		p.Eventually(func() error { return s.call(p.t.Context()) })
	}
	return all
}

// caller calls a version by gRPC with a payload, which must come back.
func (p place) caller(version string) func(context.Context) error {
	p.t.Helper()
	conn, err := grpc.NewClient(version+"."+p.Name+".svc.cluster.local:9000", grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(p.t, err)
	p.t.Cleanup(func() { _ = conn.Close() })
	in := &node.Request{Last: "n3", Payload: bytes.Repeat([]byte("x"), kilobyte)}
	return func(ctx context.Context) error {
		out := &node.Reply{}
		if err := conn.Invoke(ctx, "/conformance.Entrypoint/Three", in, out); err != nil {
			return err
		}
		if len(out.GetPayload()) != kilobyte {
			return fmt.Errorf("%d bytes came back", len(out.GetPayload()))
		}
		return nil
	}
}

// measure is one round of one subject.
func (s *subject) measure(ctx context.Context, callers int, keep bool) error {
	before, err := s.cpu()
	if err != nil {
		return err
	}
	var all sync.WaitGroup
	var count atomic.Int64
	var mu sync.Mutex
	var failure error
	var took []time.Duration
	begin := time.Now()
	for range callers {
		all.Go(func() {
			for at := time.Now(); at.Sub(begin) < roundTime; {
				err := s.call(ctx)
				now := time.Now()
				mu.Lock()
				took = append(took, now.Sub(at))
				if err != nil {
					failure = err
				}
				mu.Unlock()
				count.Add(1)
				at = now
			}
		})
	}
	all.Wait()
	span := time.Since(begin)
	after, err := s.cpu()
	if err := errors.Join(err, failure); err != nil {
		return err
	}
	if keep {
		s.rate[callers] = append(s.rate[callers], float64(count.Load())/span.Seconds())
		s.cost[callers] = append(s.cost[callers], float64((after-before).Microseconds())/float64(count.Load()))
		s.took[callers] = append(s.took[callers], took...)
	}
	return nil
}

func report(text *strings.Builder, subjects []*subject) {
	fmt.Fprintf(text, "1 KB through 3 steps, %d rounds of %s in turns; medians\n", rounds, roundTime)
	w := tabwriter.NewWriter(text, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "callers\tsubject\trequests/s\tp50\tp99\tCPU µs/request\t")
	for _, callers := range []int{1, 16, 64} {
		for _, s := range subjects {
			fmt.Fprintf(w, "%d\t%s\t%.0f\t%s\t%s\t%.0f\t\n", callers, s.name, median(s.rate[callers]),
				quantile(s.took[callers], 50), quantile(s.took[callers], 99), median(s.cost[callers]))
		}
	}
	_ = w.Flush() // into memory
	named := map[string]*subject{}
	for _, s := range subjects {
		named[s.name] = s
	}
	fmt.Fprintln(w, "callers\tratio, round by round\tmedian\tleast\tmost\tbar\tCPU ratio\t")
	for _, callers := range []int{1, 16, 64} {
		for _, r := range []struct{ of, to, bar string }{
			{rawSequence, rawAgain, "(noise)"},
			{rawSequence, ourSequence, fmt.Sprintf("<= %.2f", bySequence)},
			{ourOnePod, ourSequence, fmt.Sprintf(">= %.0f", podFaster)},
			{ourDirect, ourSequence, fmt.Sprintf(">= %.0f", directFaster)},
			{ourDirect, bareProxies, ""},
			{bareProxies, bareIngress, ""},
			{ourOnePod, barePods, ""},
		} {
			a, b := named[r.of], named[r.to]
			rates, costs := ratios(a.rate[callers], b.rate[callers]), ratios(b.cost[callers], a.cost[callers])
			fmt.Fprintf(w, "%d\t%s / %s\t%.2f\t%.2f\t%.2f\t%s\t%.2f\t\n", callers, r.of, r.to, median(rates), slices.Min(rates),
				slices.Max(rates), r.bar, median(costs))
		}
	}
	_ = w.Flush() // into memory
	fmt.Fprintln(text, "CPU: the pods named (queue-proxies included), the dispatcher of the channels, and the caller, whose part the bare")
	fmt.Fprintln(text, "poster and sink are. A ratio of CPU is that of the second to the first, for each request.")
}

func ratios(a, b []float64) []float64 {
	all := make([]float64, len(a))
	for i := range a {
		all[i] = a[i] / b[i]
	}
	return all
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return (sorted[(len(sorted)-1)/2] + sorted[len(sorted)/2]) / 2
}

// ownAddress is the address of this machine that pods can reach.
func ownAddress(p place) string {
	p.t.Helper()
	service := p.Kubectl("get", "service", "kubernetes", "-n", "default", "-o", "jsonpath={.spec.clusterIP}")
	conn, err := (&net.Dialer{}).DialContext(p.t.Context(), "tcp", net.JoinHostPort(service, "443"))
	require.NoError(p.t, err)
	defer conn.Close()
	return conn.LocalAddr().(*net.TCPAddr).IP.String()
}
