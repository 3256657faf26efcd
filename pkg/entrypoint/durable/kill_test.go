package durable_test

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
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

// killed are a version's replicas, nodes and server, which end at once, again and again.
type killed struct {
	*version
	child *jetstream.Child

	mu       sync.RWMutex
	replicas []*replica
	kills    map[string]int
	stop     func() // waits until nothing is killed any more
}

// kills begins to kill a version of the test's own. What works takes a while, so that there is always
// something at work.
func kills(t *testing.T) *killed {
	child := jetstream.NewChild(t)
	child.Start(t)
	k := &killed{version: newVersion(t, child.URL()), child: child, kills: map[string]int{}}
	// A replica that is killed gives nothing back: its way to the queue is cut before it stops.
	k.options = func(o *entrypoint.Options) { o.ConnectionGrace = time.Millisecond }
	k.replicas = []*replica{k.serve(), k.serve()}
	for _, n := range k.nodes {
		n.works(func(_ context.Context, in *event.Event, text string) (int, *event.Event) {
			time.Sleep(time.Duration(rand.IntN(100)) * time.Millisecond)
			return http.StatusOK, n.next(in, text+">"+n.name)
		})
	}
	ctx, stop := context.WithCancel(t.Context())
	var killing sync.WaitGroup
	k.stop = func() { stop(); killing.Wait() }
	killing.Go(func() {
		for ctx.Err() == nil {
			select {
			case <-time.After(time.Duration(100+rand.IntN(200)) * time.Millisecond):
				k.kill()
			case <-ctx.Done():
			}
		}
	})
	return k
}

func (k *killed) kill() {
	switch rand.IntN(4) {
	case 0:
		k.kills["server"]++
		k.child.Kill()
		k.child.Start(k.t)
	case 1:
		k.kills["replica"]++
		i := rand.IntN(len(k.replicas))
		k.replicas[i].way.cut()
		k.replicas[i].stop()
		k.replicas[i].ended()
		next := k.serve()
		k.mu.Lock()
		k.replicas[i] = next
		k.mu.Unlock()
	default:
		k.kills["node"]++
		n := k.nodes[rand.IntN(len(k.nodes))]
		n.kill()
		n.start()
	}
}

func (k *killed) replica() *replica {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return k.replicas[rand.IntN(len(k.replicas))]
}

// events is how many a test sends: KRT_DURABLE_EVENTS, or what is usual.
func events(usual int) int {
	if n, err := strconv.Atoi(os.Getenv("KRT_DURABLE_EVENTS")); err == nil {
		return n
	}
	return usual
}

// send calls try until it has succeeded as often as there are [events], and not longer
// than the time of the test allows. It returns how often it has.
func (k *killed) send(t *testing.T, usual int, try func(text string) bool) int {
	usual = events(usual)
	last, limited := t.Deadline()
	last = last.Add(-patient * 5 / 4)
	var sending sync.WaitGroup
	var count, sent atomic.Int64
	for range min(max(4, usual/50), 20) {
		sending.Go(func() {
			for n := count.Add(1); n <= int64(usual) && (!limited || time.Now().Before(last)); {
				if try(fmt.Sprintf("e%d-%d", n, rand.Int())) {
					sent.Add(1)
					n = count.Add(1)
				}
			}
		})
	}
	sending.Wait()
	require.Positive(t, sent.Load(), "nothing could be sent in time")
	return int(sent.Load())
}

// repeats is how often nodes ran again with what came of texts.
func (k *killed) repeats(texts []string) (n int) {
	for _, text := range texts {
		n += k.nodes[0].ran(text) + k.nodes[1].ran(text+">a") + k.nodes[2].ran(text+">a>b") - 3
	}
	return n
}

// TestKills sends events that nobody waits for while the server, replicas and nodes end at once,
// again and again: every event that was accepted has its result. KRT_DURABLE_EVENTS is how many.
func TestKills(t *testing.T) {
	k := kills(t)
	var mu sync.Mutex
	accepted := map[string]string{}
	begin := time.Now()
	sent := k.send(t, 200, func(text string) bool {
		id, status := k.replica().async(text)
		if status != http.StatusAccepted {
			return false
		}
		mu.Lock()
		accepted[id] = text
		mu.Unlock()
		return true
	})
	took := time.Since(begin)
	k.stop()
	lost := func() (n int) {
		for id := range accepted {
			if k.letters.find(letter.Result, id) == nil && k.letters.find(letter.Dead, id+"/0") == nil {
				n++
			}
		}
		return n
	}
	require.Eventually(t, func() bool { return lost() == 0 }, patient, 50*time.Millisecond, "of %d are lost: %s", sent,
		lazy(func() string { return strconv.Itoa(lost()) }))
	k.replicas[0].empty()
	for id, text := range accepted {
		if l := k.letters.find(letter.Result, id); l.Status == nil {
			require.Equal(t, text+">a>b>c", decode(t, l.Data))
		}
	}
	t.Logf("%d events, 3 steps: lost 0, %d repeated steps, %d dead letters, sent in %s, done in %s; ended at once: %v",
		sent, k.repeats(slices.Collect(maps.Values(accepted))), k.letters.count(letter.Dead), took.Round(time.Millisecond),
		time.Since(begin).Round(time.Millisecond), k.kills)
}

// TestKillsBehindEarlyReplies calls while all ends at once, again and again: what a client has an early
// reply to is done to its end.
func TestKillsBehindEarlyReplies(t *testing.T) {
	k := kills(t)
	first := k.nodes[0]
	first.works(func(ctx context.Context, in *event.Event, text string) (int, *event.Event) {
		reply := in.Next(event.Source("test", "v1", "a"), event.TypeReply, "test.Reply", encode("early"))
		for !in.Replied && k.replica().tryPost(ctx, reply) != http.StatusAccepted {
			if ctx.Err() != nil {
				return http.StatusInternalServerError, nil
			}
		}
		time.Sleep(time.Duration(rand.IntN(200)) * time.Millisecond)
		return http.StatusOK, first.next(in, text+">a")
	})
	var mu sync.Mutex
	var promised []string
	failed := 0
	begin := time.Now()
	sent := k.send(t, 100, func(text string) bool {
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		got, err := k.replica().call(ctx, text)
		mu.Lock()
		defer mu.Unlock()
		if err != nil || got != "early" {
			failed++
			return false
		}
		promised = append(promised, text)
		return true
	})
	k.stop()
	lost := func() (n int) {
		for _, text := range promised {
			if k.nodes[2].ran(text+">a>b") == 0 {
				n++
			}
		}
		return n
	}
	require.Eventually(t, func() bool { return lost() == 0 }, patient, 50*time.Millisecond, "of %d are lost: %s", sent,
		lazy(func() string { return strconv.Itoa(lost()) }))
	k.replicas[0].empty()
	t.Logf("%d early replies, 3 steps: lost 0, %d repeated steps, %d dead letters, %d calls failed, done in %s; ended at once: %v",
		sent, k.repeats(promised), k.letters.count(letter.Dead), failed, time.Since(begin).Round(time.Millisecond), k.kills)
}
