package load_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
)

// How long TestSoak lasts: what the suite has is short. The whole is
// -soak-requests 1000000 -soak-cycles 1000, and a night with the callers and versions that there are by default.
var (
	soakRequests = flag.Int("soak-requests", 5000, "how many requests TestSoak sends")
	soakCallers  = flag.Int("soak-callers", 8, "how many send them, each one at a time")
	soakCycles   = flag.Int("soak-cycles", 6, "how many versions it creates and deletes meanwhile")
	soakAtOnce   = flag.Int("soak-at-once", 1, "how many of those there are at a time")
)

// soakSamples is how often it is measured what there is, besides before and after.
const soakSamples = 10

// TestSoak sends requests to a version of each delivery while versions come and go, and reports how
// much more memory, files, sockets, goroutines and objects there are in the end than once all were
// warm. What grows with each request or version is a leak.
func TestSoak(t *testing.T) {
	p := newPlace(t)
	p.Install()
	var calls []call
	for _, name := range []string{"steady", "direct"} {
		p.version(name, func(v *v1alpha1.Version) {
			if name == "direct" {
				v.Spec.Entrypoint.Delivery = v1alpha1.DeliveryDirect
			}
		})
	}
	for _, name := range []string{"steady", "direct"} {
		p.Ready("version/" + name)
		transport := &http.Transport{MaxIdleConnsPerHost: *soakCallers}
		t.Cleanup(transport.CloseIdleConnections)
		calls = append(calls, overHTTP(&http.Client{Transport: transport}, name+"."+p.Name+".svc.cluster.local"))
	}
	for _, c := range calls {
		p.Eventually(func() error { _, err := c(t.Context()); return err })
	}
	require.NoError(t, p.whole(t.Context()))
	before, err := p.inventory(t.Context())
	require.NoError(t, err)
	require.NoError(t, p.cycle(t.Context(), 0), "the first warms") // with its first requests
	s := &soak{place: p, calls: calls}
	require.NoError(t, s.send(t.Context(), *soakRequests/soakSamples))
	first := s.sample()

	begun := time.Now()
	s.run()
	left, err := p.leftOver(t.Context(), before)
	require.NoError(t, err)
	last := s.sample()
	t.Logf("%s within %s", s, time.Since(begun).Round(time.Second))
	t.Log("\n" + drift(first, s.samples, last))
	require.Empty(t, left, "objects that versions have left")
	require.Zero(t, s.lost.Load(), "requests that failed: %v", s.example.Load())
	for pod, of := range last.pods {
		if was, ok := first.pods[pod]; ok { // half as many again, and some: pools and garbage are no leak
			require.LessOrEqual(t, of.goroutines, was.goroutines*3/2+50, "goroutines of %s", pod)
			require.LessOrEqual(t, of.files, was.files*3/2+50, "files of %s", pod)
			require.LessOrEqual(t, of.resident>>20, was.resident>>20*3/2+64, "MiB of memory of %s", pod)
		}
	}
}

// soak is a run of TestSoak.
type soak struct {
	place
	calls      []call
	sent, lost atomic.Int64
	cycles     atomic.Int64
	example    atomic.Value
	samples    []sample
}

func (s *soak) String() string {
	return fmt.Sprintf("%d requests, %d failed, and %d versions", s.sent.Load(), s.lost.Load(), s.cycles.Load())
}

// run sends the requests in parts, with a sample after each, while versions come and go.
func (s *soak) run() {
	s.t.Helper()
	var all errgroup.Group
	var next atomic.Int64
	for range *soakAtOnce {
		all.Go(func() error {
			for i := next.Add(1); i <= int64(*soakCycles); i = next.Add(1) {
				if err := s.cycle(s.t.Context(), int(i)); err != nil {
					return err
				}
				s.cycles.Add(1)
			}
			return nil
		})
	}
	for range soakSamples {
		require.NoError(s.t, s.send(s.t.Context(), *soakRequests/soakSamples))
		s.samples = append(s.samples, s.sample())
		s.t.Log(s)
	}
	require.NoError(s.t, all.Wait())
}

// send sends requests by several callers, each after its last is answered.
func (s *soak) send(ctx context.Context, n int) error {
	var next atomic.Int64
	var all errgroup.Group
	for range *soakCallers {
		all.Go(func() error {
			for i := next.Add(1); i <= int64(n); i = next.Add(1) {
				bounded, cancel := context.WithTimeout(ctx, requestTimeout+margin)
				_, err := s.calls[int(i)%len(s.calls)](bounded)
				cancel()
				s.sent.Add(1)
				if err != nil {
					s.lost.Add(1)
					s.example.Store(err.Error())
				}
			}
			return ctx.Err()
		})
	}
	return all.Wait()
}

// cycle creates a version, calls it once it is ready, and deletes it.
func (p place) cycle(ctx context.Context, i int) error {
	name := fmt.Sprintf("passing-%d", i)
	v := p.version(name, func(v *v1alpha1.Version) {
		if i%2 == 1 {
			v.Spec.Entrypoint.Delivery = v1alpha1.DeliveryDirect
		}
	})
	err := until(ctx, func() error {
		if err := p.client.Get(ctx, client.ObjectKeyFromObject(v), v); err != nil {
			return err
		}
		if !v.IsReady() {
			return fmt.Errorf("%s is %s", name, v.Status.Phase)
		}
		return nil
	})
	transport := &http.Transport{DisableKeepAlives: true}
	c := overHTTP(&http.Client{Transport: transport}, name+"."+p.Name+".svc.cluster.local")
	err = errors.Join(err, until(ctx, func() error { _, err := c(ctx); return err }), p.client.Delete(ctx, v))
	return errors.Join(err, until(ctx, func() error {
		if err := p.client.Get(ctx, client.ObjectKeyFromObject(v), v); !apierrors.IsNotFound(err) {
			return fmt.Errorf("%s is still there: %w", name, err)
		}
		return nil
	}))
}

// drift is how much more there is, in per cent of what there was at first.
func drift(first sample, between []sample, last sample) string {
	var text strings.Builder
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "of\twhat\tfirst\tmost\tlast\tdrift %")
	for _, pod := range first.names() {
		was, is := first.pods[pod], last.pods[pod]
		if is == (use{}) {
			fmt.Fprintf(w, "%s\tgone\n", pod)
			continue
		}
		for _, what := range []struct {
			name string
			of   func(use) int
		}{
			{"resident KiB", func(u use) int { return u.resident >> 10 }}, {"goroutines", func(u use) int { return u.goroutines }},
			{"files", func(u use) int { return u.files }}, {"sockets", func(u use) int { return u.sockets }},
		} {
			a, z, most := what.of(was), what.of(is), 0
			for _, s := range append(between, first, last) {
				most = max(most, what.of(s.pods[pod]))
			}
			if a > 0 {
				fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%d\t%+.1f\n", pod, what.name, a, most, z, 100*float64(z-a)/float64(a))
			}
		}
	}
	fmt.Fprintf(w, "objects of the cluster\t\t%d\t\t%d\t%+.1f\n", first.objects, last.objects,
		100*float64(last.objects-first.objects)/float64(max(first.objects, 1)))
	_ = w.Flush() // into memory
	return text.String()
}
