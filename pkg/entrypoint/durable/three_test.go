package durable_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/entrypoint/durable"
	"krt.dev/kn-krt/pkg/letter"
	"krt.dev/kn-krt/pkg/queue"
	"krt.dev/kn-krt/pkg/runner/event"
	servers "krt.dev/kn-krt/test/jetstream"
)

// leads returns which of the servers leads the stream, and one that does not.
func leads(t *testing.T, urls string, all []*servers.Child) (leader, other *servers.Child) {
	t.Helper()
	conn, err := nats.Connect(urls)
	require.NoError(t, err)
	defer conn.Close()
	js, err := jetstream.New(conn)
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		s, err := js.Stream(t.Context(), queue.Stream("test", "v1"))
		if err != nil || s.CachedInfo().Cluster == nil {
			return false
		}
		for _, one := range all {
			if one.Name() == s.CachedInfo().Cluster.Leader {
				leader = one
			} else {
				other = one
			}
		}
		return leader != nil
	}, patient, 10*time.Millisecond)
	return leader, other
}

// With three servers and three replicas of the stream, what was accepted is done while one of them is killed and
// away: the one that leads the stream, another one, and the next one that leads it. KRT_DURABLE_EVENTS is how many
// events there are.
func TestServerOfThreeIsKilled(t *testing.T) {
	all := servers.NewCluster(t, 3)
	var urls []string
	for _, s := range all {
		s.Start(t)
		urls = append(urls, s.URL())
	}
	v := newVersion(t, all[0].URL())
	v.queue.Replicas = 3
	v.change = func(o *durable.Options) { o.Queue.URL = strings.Join(urls, ",") }
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
		killed, other := leads(t, strings.Join(urls, ","), all)
		if round == 1 {
			killed = other
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
		}, patient, 50*time.Millisecond, "with two servers")
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
