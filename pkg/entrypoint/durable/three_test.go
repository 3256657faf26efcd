package durable_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"runtime/pprof"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/entrypoint/durable"
	"krt.dev/kn-krt/pkg/letter"
	"krt.dev/kn-krt/pkg/queue"
	"krt.dev/kn-krt/pkg/runner/event"
	servers "krt.dev/kn-krt/test/jetstream"
)

// With three servers and three replicas of the stream, what was accepted is done while one of them is killed and
// away: the one that leads the stream, another one, and the next one that leads it. KRT_DURABLE_EVENTS is how many
// events there are.
func TestServerOfThreeIsKilled(t *testing.T) {
	cluster := servers.NewCluster(t, 3)
	v := newVersion(t, cluster.All[0].URL())
	v.queue.Replicas = 3
	v.change = func(o *durable.Options) { o.Queue.URL = cluster.URL() }
	for _, n := range v.nodes {
		n.works(func(_ context.Context, in *event.Event, text string) (int, *event.Event) {
			time.Sleep(time.Duration(rand.IntN(50)) * time.Millisecond)
			return http.StatusOK, n.next(in, text+">"+n.name)
		})
	}
	replicas := []*replica{v.serve(), v.serve()}
	var mu sync.Mutex
	accepted := map[string]string{}
	refused := 0
	send := func(at *replica, text string) bool {
		id, status := at.async(text)
		mu.Lock()
		defer mu.Unlock()
		if status != http.StatusAccepted {
			refused++
			return false
		}
		accepted[id] = text
		return true
	}
	require.Eventually(t, func() bool { return send(replicas[0], "first") }, patient, 10*time.Millisecond)
	begin := time.Now()
	for round := range 3 {
		killed := cluster.Whole(t, queue.Stream("test", "v1"), 4)[""]
		if round == 1 {
			killed = cluster.All[(slices.Index(cluster.All, killed)+1)%3]
		}
		var sending sync.WaitGroup
		var next atomic.Int64
		for i := range 80 {
			sending.Go(func() {
				for n := next.Add(1); n <= int64(events(240)/3); n = next.Add(1) {
					for try := 0; !send(replicas[i%2], fmt.Sprintf("%d-%d-%d", round, n, try)); try++ {
						time.Sleep(10 * time.Millisecond) // as producers do
					}
				}
			})
		}
		require.Eventually(t, func() bool { return next.Load() > int64(events(240)/3)/4 }, patient, time.Millisecond)
		killed.Kill()
		sending.Wait()
		require.Eventually(t, func() bool {
			status, err := replicas[0].carrier.Status(t.Context())
			return err == nil && status.Events == 0
		}, patient, 50*time.Millisecond, "with two servers: %s", lazy(func() string { return about(cluster, replicas[0]) }))
		killed.Start(t)
	}
	repeated := 0
	for id, text := range accepted {
		require.Equal(t, text+">a>b>c", decode(t, v.letters.await(t, letter.Result, id).Data))
		repeated += v.nodes[0].ran(text) + v.nodes[1].ran(text+">a") + v.nodes[2].ran(text+">a>b") - 3
	}
	require.Zero(t, v.letters.count(letter.Dead))
	t.Logf("%d events accepted within %s, %d tries refused: lost 0, %d of %d steps repeated",
		len(accepted), time.Since(begin).Round(time.Second), refused, repeated, 3*len(accepted))
}

// about is what is known of a cluster and a replica that do not do what they should.
func about(c *servers.Cluster, r *replica) string {
	var b strings.Builder
	status, err := r.carrier.Status(context.Background())
	_, lacks := c.Members(queue.Stream("test", "v1"), 4)
	fmt.Fprintf(&b, "%+v, %v; %s\n", status, err, lacks)
	_ = pprof.Lookup("goroutine").WriteTo(&b, 1)
	return b.String()
}
