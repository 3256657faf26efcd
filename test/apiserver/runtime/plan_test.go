package runtime

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"syscall"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/render"
)

// entrypoints is the network of all tests: it has the pods that serve metrics.
var entrypoints pods

// pods are servers by the address of the pod that they are.
type pods struct{ servers sync.Map }

func (p *pods) dial(ctx context.Context, network, address string) (net.Conn, error) {
	server, known := p.servers.Load(address)
	if !known {
		return nil, &net.OpError{Op: "dial", Net: network, Err: syscall.ECONNREFUSED}
	}
	return (&net.Dialer{}).DialContext(ctx, network, server.(string))
}

// serving has the entrypoint of a version serve metrics: with each reading, each side has had 200
// requests more, of which so many have failed.
func (p *place) serving(version, canary, ip string, failedPublished, failedCanary float64) {
	p.Helper()
	registry := prometheus.NewRegistry()
	requests := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "krt_traffic_requests_total"}, []string{"canary", "side", "code"})
	seconds := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "krt_traffic_request_seconds"}, []string{"canary", "side"})
	registry.MustRegister(requests, seconds, collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	metrics := promhttp.HandlerFor(registry, promhttp.HandlerOpts{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for side, failed := range map[string]float64{"published": failedPublished, "canary": failedCanary} {
			requests.WithLabelValues(canary, side, "OK").Add(200 - failed)
			requests.WithLabelValues(canary, side, "INTERNAL").Add(failed)
			requests.WithLabelValues(canary, side, "INVALID_ARGUMENT").Add(0)
			for range 200 {
				seconds.WithLabelValues(canary, side).Observe(0.01)
			}
		}
		metrics.ServeHTTP(w, r)
	}))
	p.Cleanup(server.Close)
	entrypoints.servers.Store(net.JoinHostPort(ip, "8081"), server.Listener.Addr().String())
	p.running(p.pod(version), ip)
}

// running has a pod run.
func (p *place) running(pod *corev1.Pod, ip string) {
	p.Helper()
	before := pod.DeepCopy()
	pod.Status.Phase, pod.Status.PodIP, pod.Status.PodIPs = corev1.PodRunning, ip, []corev1.PodIP{{IP: ip}}
	require.NoError(p, cluster.Status().Patch(p.Context(), pod, client.MergeFrom(before)))
}

// ready waits until a version is ready.
func (p *place) ready(v *v1alpha1.Version) {
	p.Helper()
	require.True(p, p.soon(func() bool {
		require.NoError(p, cluster.Get(p.Context(), client.ObjectKeyFromObject(v), v))
		return v.IsReady()
	}), "%+v", v.Status)
}

// planned publishes v1, and makes v2 its canary with a plan of two steps.
func (p *place) planned(more string) {
	p.Helper()
	p.plannedFor("1s", more)
}

// plannedFor is planned with a second step that takes another time.
func (p *place) plannedFor(second, more string) {
	p.Helper()
	p.version("v1", "example.com/a")
	p.publish("v1", "")
	p.published("v1")
	p.ready(p.version("v2", "example.com/a")) // a plan does not wait for it for longer than its waitLimit
	p.spec(`{"canary": {"version": "v2", "plan": {"steps": [{"weight": 5, "for": "1s"}, {"weight": 50, "for": "` + second + `"}],
		"limits": {"errorRatio": {"increase": "1%"}, "p95": {"increase": "20%"}}` + more + `}}}`)
}

// Also without a plan, the status has what both sides have got.
func TestRequestsOfACanaryWithoutAPlanAreCounted(t *testing.T) {
	p := newPlace(t)
	p.serving("v1", "v2", "10.9.0.9", 0, 100)
	p.version("v1", "example.com/a")
	p.publish("v1", "")
	p.published("v1")
	p.version("v2", "example.com/a")
	p.spec(`{"canary": {"version": "v2", "weight": 10}}`)
	rt := p.until("with requests", func(rt *v1alpha1.Runtime) bool {
		c := rt.Status.Canary
		return c != nil && c.Samples.Canary >= 400
	})
	require.Equal(t, v1alpha1.CanaryServing, rt.Status.Canary.Phase)
	require.Equal(t, rt.Status.Canary.Samples.Canary, rt.Status.Canary.Samples.Published)
	entrypoints.servers.Delete(net.JoinHostPort("10.9.0.9", "8081")) // nothing is added to what is counted anew
	p.spec(`{"canary": {"weight": 0, "mirror": 5}}`)
	p.until("counting anew", func(rt *v1alpha1.Runtime) bool { return rt.Status.Canary.Samples.Canary < 400 })
}

func TestAPlanPromotesAGoodCanary(t *testing.T) {
	p := newPlace(t)
	p.serving("v1", "v2", "10.18.0.1", 1, 1)
	p.planned("")
	rt := p.published("v2")
	require.Nil(t, rt.Spec.Canary)
	require.Equal(t, "v2", rt.Spec.PublishedVersion)
	require.Regexp(t, `^promoted by its plan: all 2 steps were within the limits, the last one with [0-9]+ requests to "v2" and `,
		rt.Status.History[len(rt.Status.History)-1].Comment)
	p.event("CanaryPromoting", "all 2 steps were within the limits")
}

func TestAPlanRollsBackABadCanary(t *testing.T) {
	p := newPlace(t)
	p.serving("v1", "v2", "10.18.0.2", 1, 20)
	p.planned("")
	rt := p.canary(v1alpha1.CanaryRolledBack, v1alpha1.ReasonLimitExceeded)
	c := rt.Status.Canary
	require.EqualValues(t, 0, c.Weight)
	require.Contains(t, c.Message, "step 1 of 2, 5 % of the requests for 1s: errorRatio: ")
	require.Equal(t, "errorRatio", c.Values[0].Name)
	require.Equal(t, v1alpha1.VerdictBad, c.Values[0].Verdict)
	require.Equal(t, "v1", rt.Spec.PublishedVersion, "the spec stays what its author wrote")
	p.until("without requests", func(rt *v1alpha1.Runtime) bool { return !rt.Status.Canary.Receiving })
	p.event("CanaryRolledBack", "errorRatio")
}

func TestAPlanWithoutDataPausesUntilItIsResumed(t *testing.T) {
	p := newPlace(t)
	p.running(p.pod("v1"), "10.18.0.3")
	p.planned(`, "waitLimit": "10s"`)
	c := p.canary(v1alpha1.CanaryPaused, v1alpha1.ReasonNoData).Status.Canary
	require.EqualValues(t, 5, c.Weight)
	require.Contains(t, c.Message, `0 of 100 requests to v2; the metrics of 1 of 1 entrypoints of "v1" cannot be read: `)
	p.spec(`{"canary": {"paused": true, "resume": "1"}}`)
	p.canary(v1alpha1.CanaryPaused, v1alpha1.ReasonPausedByHand)
	p.spec(`{"canary": {"paused": false}}`)
	p.until("beginning its step again", func(rt *v1alpha1.Runtime) bool { // which may have paused again by now
		now := rt.Status.Canary
		return now.Reason != v1alpha1.ReasonPausedByHand && now.Since.After(c.Since.Time)
	})
}

// While a person publishes another version, a plan that succeeds does not publish its canary instead.
func TestAPlanPromotesNothingInsteadOfWhatAPersonPublishes(t *testing.T) {
	p := newPlace(t)
	p.serving("v1", "v2", "10.18.0.4", 1, 1)
	p.version("v1", "example.com/a")
	p.publish("v1", "")
	p.published("v1")
	p.version("v2", "example.com/a")
	p.spec(`{"publishedVersion": "v3", "canary": {"version": "v2", "plan": {"steps": [{"weight": 5, "for": "1s"}]}}}`)
	p.refused(v1alpha1.ReasonVersionNotFound)
	rt := p.canary(v1alpha1.CanaryPromoting, v1alpha1.ReasonPlanSucceeded)
	require.Equal(t, "v3", rt.Spec.PublishedVersion)
	p.spec(`{"publishedVersion": "v1"}`)
	p.published("v2")
}

// A file that is another's keeps requests from the canary; its plan stays where it is.
func TestAPlanWaitsWhileItsFileIsAnothers(t *testing.T) {
	p := newPlace(t)
	p.serving("v1", "v2", "10.18.0.4", 1, 1)
	p.plannedFor("1h", "")
	second := func(rt *v1alpha1.Runtime) bool { return rt.Status.Canary != nil && rt.Status.Canary.Step == 2 }
	p.until("in its second step", func(rt *v1alpha1.Runtime) bool { return second(rt) && p.file("v1") != nil })
	file := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: render.TrafficName("v1"), Namespace: p.namespace}}
	orphan := client.RawPatch("application/merge-patch+json", []byte(`{"metadata": {"ownerReferences": null}}`))
	require.NoError(t, cluster.Patch(t.Context(), file, orphan))
	p.canary(v1alpha1.CanaryWaiting, v1alpha1.ReasonNotOwned)
	c := p.until("without requests", func(rt *v1alpha1.Runtime) bool { return !rt.Status.Canary.Receiving }).Status.Canary
	require.EqualValues(t, 2, c.Step)
	require.Contains(t, c.Message, "delete it, and kn-krt creates its own")
	p.spec(`{"comment": "look again"}`)
	again := p.until("looked at again", func(rt *v1alpha1.Runtime) bool {
		return rt.Status.Canary.Reason == v1alpha1.ReasonNotOwned
	}).Status.Canary
	require.Equal(t, c, again, "the time for which it waits goes on")
	require.NoError(t, cluster.Delete(t.Context(), file))
	rt := p.canary(v1alpha1.CanaryProgressing, v1alpha1.ReasonCanaryProgressing)
	require.True(t, second(rt))
}
