package durable_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/entrypoint"
	"krt.dev/kn-krt/pkg/letter"
	"krt.dev/kn-krt/pkg/queue/client"
	"krt.dev/kn-krt/pkg/runner/event"
	"krt.dev/kn-krt/test/jetstream"
)

func ownerOf(t *testing.T, v *version) *client.Client {
	t.Helper()
	owner, err := client.Connect(v.queue, client.Options{Logger: v.log})
	require.NoError(t, err)
	t.Cleanup(owner.Close)
	require.Eventually(t, owner.Connected, patient, time.Millisecond)
	return owner
}

// TestKills sends events that nobody waits for while the server, replicas and nodes end at once,
// again and again: every event that was accepted has its result. KRT_DURABLE_EVENTS is how many.
func TestKills(t *testing.T) {
	events := 200
	if n, err := strconv.Atoi(os.Getenv("KRT_DURABLE_EVENTS")); err == nil {
		events = n
	}
	child := jetstream.NewChild(t)
	child.Start(t)
	v := newVersion(t, child.URL())
	// A replica that is killed gives nothing back: its way to the queue is cut before it stops.
	v.options = func(o *entrypoint.Options) { o.ConnectionGrace = time.Millisecond }
	replicas := []*replica{v.serve(), v.serve()}
	var mu sync.RWMutex // of replicas
	ctx, stop := context.WithCancel(t.Context())
	var killing sync.WaitGroup
	kills := map[string]int{}
	killing.Go(func() {
		for ctx.Err() == nil {
			select {
			case <-time.After(time.Duration(100+rand.IntN(200)) * time.Millisecond):
			case <-ctx.Done():
				return
			}
			switch rand.IntN(4) {
			case 0:
				kills["server"]++
				child.Kill()
				child.Start(t)
			case 1:
				kills["replica"]++
				i := rand.IntN(len(replicas))
				replicas[i].way.cut()
				replicas[i].stop()
				replicas[i].ended()
				next := v.serve()
				mu.Lock()
				replicas[i] = next
				mu.Unlock()
			default:
				kills["node"]++
				n := v.nodes[rand.IntN(len(v.nodes))]
				n.kill()
				n.start()
			}
		}
	})
	for _, n := range v.nodes { // so that there is something at work whatever ends
		n.works(func(_ context.Context, in *event.Event, text string) (int, *event.Event) {
			time.Sleep(time.Duration(rand.IntN(100)) * time.Millisecond)
			return http.StatusOK, n.next(in, text+">"+n.name)
		})
	}
	accepted := map[string]string{}
	begin := time.Now()
	var sending sync.WaitGroup
	var sent atomic.Int64
	for range 4 {
		sending.Go(func() {
			for n := sent.Add(1); n <= int64(events); {
				text := fmt.Sprintf("e%d-%d", n, rand.Int())
				mu.RLock()
				r := replicas[rand.IntN(len(replicas))]
				mu.RUnlock()
				id, status := r.async(text)
				if status != http.StatusAccepted {
					continue
				}
				mu.Lock()
				accepted[id] = text
				mu.Unlock()
				n = sent.Add(1)
			}
		})
	}
	sending.Wait()
	took := time.Since(begin)
	stop()
	killing.Wait()
	lost := func() (n int) {
		for id := range accepted {
			if v.letters.find(letter.Result, id) == nil && v.letters.find(letter.Dead, id+"/0") == nil {
				n++
			}
		}
		return n
	}
	require.Eventually(t, func() bool { return lost() == 0 }, patient, 50*time.Millisecond, "%d of %d are lost", lost(), events)
	replicas[0].empty()
	repeats := 0
	for id, text := range accepted {
		if l := v.letters.find(letter.Result, id); l.Status == nil {
			require.Equal(t, text+">a>b>c", decode(t, l.Data))
		}
		repeats += v.nodes[0].ran(text) + v.nodes[1].ran(text+">a") + v.nodes[2].ran(text+">a>b") - 3
	}
	t.Logf("%d events, 3 steps: lost 0, %d repeated steps, %d dead letters, sent in %s, done in %s; ended at once: %v",
		events, repeats, v.letters.count(letter.Dead), took.Round(time.Millisecond), time.Since(begin).Round(time.Millisecond), kills)
}
