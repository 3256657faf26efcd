package durable_test

import (
	"context"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/entrypoint/durable"
	"krt.dev/kn-krt/pkg/letter"
	"krt.dev/kn-krt/pkg/runner/event"
	"krt.dev/kn-krt/test/jetstream"
)

// With three servers and three replicas of the stream, what was accepted is done while each of them in
// turn is killed, and one of them is away.
func TestServerOfThreeIsKilled(t *testing.T) {
	servers := jetstream.NewCluster(t, 3)
	var urls []string
	for _, s := range servers {
		s.Start(t)
		urls = append(urls, s.URL())
	}
	v := newVersion(t, servers[0].URL())
	v.queue.Replicas = 3
	v.change = func(o *durable.Options) { o.Queue.URL = strings.Join(urls, ",") }
	for _, n := range v.nodes {
		n.works(func(_ context.Context, in *event.Event, text string) (int, *event.Event) {
			time.Sleep(time.Duration(rand.IntN(50)) * time.Millisecond)
			return http.StatusOK, n.next(in, text+">"+n.name)
		})
	}
	r, other := v.serve(), v.serve()
	var mu sync.Mutex
	accepted := map[string]string{}
	refused := 0
	send := func(text string) {
		for _, at := range []*replica{r, other} {
			id, status := at.async(text + at.web)
			mu.Lock()
			if status == http.StatusAccepted {
				accepted[id] = text + at.web
			} else {
				refused++
			}
			mu.Unlock()
		}
	}
	require.Eventually(t, func() bool { send("first"); return len(accepted) > 0 }, patient, 10*time.Millisecond)
	for i, s := range servers {
		s.Kill()
		var sending sync.WaitGroup
		for j := range 40 {
			sending.Go(func() { send(strings.Repeat("x", 10*i+j)) })
		}
		sending.Wait()
		s.Start(t)
		require.Eventually(t, func() bool {
			status, err := r.carrier.Status(t.Context())
			return err == nil && status.Events == 0
		}, patient, 50*time.Millisecond)
	}
	repeated := 0
	for id, text := range accepted {
		require.Equal(t, text+">a>b>c", decode(t, v.letters.await(t, letter.Result, id).Data))
	}
	for _, n := range v.nodes {
		n.mu.Lock()
		for _, runs := range n.runs {
			repeated += runs - 1
		}
		n.mu.Unlock()
	}
	require.Zero(t, v.letters.count(letter.Dead))
	t.Logf("%d events accepted, %d refused: lost 0, about %d repeated steps", len(accepted), refused, repeated)
}
