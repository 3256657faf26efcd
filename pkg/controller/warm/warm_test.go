package warm_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/types"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/controller/warm"
)

// patient is for what a busy machine may take long to do.
const patient = time.Minute

// nodes are Knative Services of nodes, by their hosts.
type nodes map[string]http.HandlerFunc

// warmer returns one that reaches them, until the test ends.
func (n nodes) warmer(t *testing.T) *warm.Warmer {
	t.Helper()
	addresses := map[string]string{}
	for host, handler := range n {
		s := httptest.NewServer(handler)
		t.Cleanup(s.Close)
		addresses[host+":80"] = s.Listener.Addr().String()
	}
	w := warm.New(func(ctx context.Context, network, address string) (net.Conn, error) {
		if to := addresses[address]; to != "" {
			return new(net.Dialer).DialContext(ctx, network, to)
		}
		return nil, &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}
	})
	ctx, end := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- w.Start(ctx) }()
	t.Cleanup(func() {
		end()
		require.NoError(t, <-ended)
	})
	return w
}

func version(names ...string) *v1alpha1.Version {
	v := &v1alpha1.Version{}
	v.Name, v.Namespace, v.UID = "v1", "dev", "1"
	for _, name := range names {
		v.Spec.Nodes = append(v.Spec.Nodes, v1alpha1.Node{Name: name})
	}
	return v
}

func names(down []warm.Down) string {
	var all []string
	for _, d := range down {
		all = append(all, d.Name)
	}
	return strings.Join(all, " ")
}

func TestNodesAreWoken(t *testing.T) {
	var gets atomic.Int32
	started := make(chan struct{})
	w := nodes{
		"v1-a.dev.svc.cluster.local": func(w http.ResponseWriter, r *http.Request) { gets.Add(1) },
		"v1-b.dev.svc.cluster.local": func(w http.ResponseWriter, r *http.Request) { <-started },
		"v1-c.dev.svc.cluster.local": func(w http.ResponseWriter, r *http.Request) { http.Error(w, "no", http.StatusBadGateway) },
	}.warmer(t)
	v := version("a", "b", "c", "d", "up")
	v.Spec.Nodes[4].Replicas = new(int32(1))
	now := time.Now()
	require.Equal(t, "a b c d", names(w.Wake(v, now)))
	var down []warm.Down
	require.Eventually(t, func() bool {
		down = w.Wake(v, now)
		return names(down) == "b c d" && down[1].Why != "" && down[2].Why != ""
	}, patient, time.Millisecond)
	require.Equal(t, []warm.Down{{Name: "b", Since: now}, {Name: "c", Why: "the response has status 502", Since: now},
		{Name: "d", Why: "connection refused", Unreachable: true, Since: now}}, down)
	require.EqualValues(t, 1, gets.Load(), "each is asked once in 4 s")
	close(started)
	require.Eventually(t, func() bool { return names(w.Wake(v, now)) == "c d" }, patient, time.Millisecond)
	w.Wake(v, now.Add(warm.Interval))
	require.Eventually(t, func() bool { return gets.Load() == 2 }, patient, time.Millisecond, "it is kept up")
	later := time.Now().Add(time.Minute)
	down = w.Wake(v, later)
	require.Equal(t, "a b c d", names(down), "what responded long ago may be at zero")
	require.Equal(t, later, down[0].Since)
	w.Keep(map[types.UID]bool{})
	require.Equal(t, "a b c d", names(w.Wake(v, now)), "nothing is known of a version that is new")
}

// The nodes of one namespace that start slowly, or never, do not keep those of another from being woken.
func TestANamespaceLeavesRoomForOthers(t *testing.T) {
	var slow, other atomic.Int32
	over := make(chan struct{})
	defer close(over)
	n := nodes{"v1-a.other.svc.cluster.local": func(http.ResponseWriter, *http.Request) { other.Add(1) }}
	var names []string
	for i := range 150 {
		names = append(names, fmt.Sprintf("n%d", i))
		n["v1-"+names[i]+".dev.svc.cluster.local"] = func(http.ResponseWriter, *http.Request) {
			slow.Add(1)
			<-over
		}
	}
	w := n.warmer(t)
	v, v2 := version(names...), version("a")
	v2.Namespace, v2.UID = "other", "2"
	now := time.Now()
	w.Wake(v, now)
	require.Eventually(t, func() bool { return slow.Load() == 100 }, patient, time.Millisecond)
	w.Wake(v, now.Add(time.Minute))
	require.Eventually(t, func() bool { return len(w.Wake(v2, now)) == 0 }, patient, time.Millisecond)
	require.EqualValues(t, 1, other.Load())
	require.EqualValues(t, 100, slow.Load())
}

func TestStopEndsWhatIsOnItsWay(t *testing.T) {
	arrived := make(chan struct{})
	w := warm.New(func(ctx context.Context, _, _ string) (net.Conn, error) {
		close(arrived)
		<-ctx.Done()
		return nil, errors.New("ended")
	})
	w.Wake(version("a"), time.Now())
	<-arrived
	ctx, end := context.WithCancel(t.Context())
	end()
	require.NoError(t, w.Start(ctx))
	require.Equal(t, "a b", names(w.Wake(version("a", "b"), time.Now().Add(time.Hour))), "nothing is asked any more")
}
