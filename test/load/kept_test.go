package load_test

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/test/channel"
	"krt.dev/kn-krt/test/namespace"
)

var (
	asynchronous = flag.Int("events", 20_000, "how many events a test of kept events sends while it kills")
	killEach     = flag.Duration("kill", 4*time.Second, "how often such a test kills something")
)

// channels names the tests' own channels among what is killed.
const channels = "channel"

// producers is how many events are on their way to the version at a time.
const producers = 32

// What a version on storing channels has accepted is done, whatever is killed meanwhile: the channels'
// process, the entrypoint's, or a node's, by a signal that none of them sees.
func TestStoredEventsSurviveKills(t *testing.T) {
	p := newPlace(t)
	p.Install()
	p.InstallChannel()
	// Besides, they repeat, hold back, refuse and hide events as brokers on a network do.
	const faults = "spec: {faults: {repeat: 2, holdBack: 10, refuse: 2, hide: 2}}\n"
	p.Set("config-krt", "krt-system", "channel-template", namespace.ChannelTemplate+faults)
	s := p.keep(victim{channels, "krt-test-channel", client.MatchingLabels{"app": "test-channel"}}, nil)
	t.Logf("dead letters of the channels: at least %d", s.dead)
}

// The same is true of durable delivery and its queue.
func TestDurableEventsSurviveKills(t *testing.T) {
	p := newPlace(t)
	p.Install()
	p.InstallQueue()
	p.keep(victim{"queue", "krt-system", client.MatchingLabels{"app.kubernetes.io/name": "krt-queue"}}, func(v *v1alpha1.Version) {
		v.Spec.Entrypoint.Delivery = v1alpha1.DeliveryDurable
	})
}

// victim is one pod of those that have the labels in a namespace.
type victim struct {
	what, in string
	labels   client.MatchingLabels
}

// keep sends events to a version of three nodes while what keeps them, its entrypoint and its nodes are killed, and
// requires that the last node gets all that were accepted.
func (p place) keep(keeper victim, change func(*v1alpha1.Version)) *source {
	p.t.Helper()
	tally := p.Tally()
	p.version("kept", func(v *v1alpha1.Version) {
		v.Spec.Entrypoint.Replicas = new(int32(2))
		v.Spec.Entrypoint.Timeout = &metav1.Duration{Duration: 30 * time.Second}
		tally.Three(v)
		if change != nil {
			change(v)
		}
	})
	p.Ready("version/kept")

	transport := &http.Transport{MaxIdleConnsPerHost: producers}
	p.t.Cleanup(transport.CloseIdleConnections)
	s := &source{p: p, client: &http.Client{Transport: transport}, last: "n3", counted: keeper.what == channels,
		url: "http://kept." + p.Name + ".svc.cluster.local/workflows/three"}
	begun := time.Now()
	over, stop := context.WithCancel(p.t.Context())
	defer stop()
	killed := make(chan map[string]int, 1)
	go func() { killed <- p.killAtRandom(over, s, keeper) }()
	s.send(*asynchronous)
	sent := time.Since(begun)
	missing := func() int { return len(tally.Missing("n3", s.accepted)) }
	progress(missing, *asynchronous/20) // what is killed last has work, too
	stop()
	kills := <-killed
	require.NoError(p.t, p.whole(p.t.Context()))
	last := progress(missing, 0)
	took := time.Since(begun)
	s.look() // at the channel's last counts
	var table strings.Builder
	fmt.Fprintf(&table, "%d events, sent within %s, done within %s; killed: %v\n", *asynchronous, sent.Round(time.Second),
		took.Round(time.Second), kills)
	fmt.Fprintf(&table, "accepted %d, lost %d, hung %d, posts repeated %d\n", len(s.accepted), last, s.hung.Load(), s.again.Load())
	for _, node := range []string{"n1", "n2", "n3"} {
		requests, repeats := tally.Handled(node)
		fmt.Fprintf(&table, "%s: %d requests, %d repeats\n", node, requests, repeats)
	}
	p.t.Log("\n" + table.String())
	assert.Len(p.t, s.accepted, *asynchronous)
	assert.Zero(p.t, s.hung.Load(), "requests without a response within %s", margin*4)
	assert.Zero(p.t, last, "accepted events that the last node never got, such as %v", tally.Missing("n3", s.accepted)[:min(last, 3)])
	return s
}

// progress waits until not more than so many are missing, or their number has not changed for a minute.
func progress(missing func() int, most int) (last int) {
	last = missing()
	for since := time.Now(); last > most && time.Since(since) < time.Minute; {
		time.Sleep(200 * time.Millisecond) // between two looks
		if now := missing(); now < last {
			last, since = now, time.Now()
		}
	}
	return last
}

// source sends events as a producer does that keeps them until they are accepted.
type source struct {
	p      place
	client *http.Client
	url    string
	last   string // the node that handles the events last
	// counted says whether the tests' own channels keep the events.
	counted bool

	mu          sync.Mutex
	accepted    []string
	counts      channel.Counts // of the channels' present process
	dead        int64          // dead letters of all of them, as far as they were seen
	hung, again atomic.Int64
}

func (s *source) send(count int) {
	ids := make(chan string)
	var all sync.WaitGroup
	for range producers {
		all.Go(func() {
			for id := range ids {
				s.deliver(id)
			}
		})
	}
	for i := range count {
		ids <- fmt.Sprintf("event-%d", i)
	}
	close(ids)
	all.Wait()
}

func (s *source) deliver(id string) {
	for deadline := time.Now().Add(namespace.Patience); time.Now().Before(deadline); s.again.Add(1) {
		if s.post(id) {
			s.mu.Lock()
			s.accepted = append(s.accepted, id)
			s.mu.Unlock()
			return
		}
		time.Sleep(200 * time.Millisecond) // as producers do
	}
}

// post reports whether the version has accepted the event.
func (s *source) post(id string) bool {
	ctx, cancel := context.WithTimeout(s.p.t.Context(), margin*4)
	defer cancel()
	body := fmt.Sprintf(`{"id": %q, "last": %q}`, id, s.last)
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url, bytes.NewReader([]byte(body)))
	if err != nil {
		return false
	}
	for name, value := range map[string]string{
		"Ce-Specversion": "1.0", "Ce-Id": id, "Ce-Source": "/load", "Ce-Type": "any", "Content-Type": "application/json",
		"Prefer": "respond-async",
	} {
		request.Header.Set(name, value)
	}
	response, err := s.client.Do(request)
	if err != nil {
		if ctx.Err() != nil {
			s.hung.Add(1)
		}
		return false
	}
	defer response.Body.Close()
	_, _ = io.Copy(io.Discard, response.Body) // so that the connection serves the next one
	return response.StatusCode == http.StatusAccepted
}

// look notes what the channels' process has counted, if that counts; a kill takes that away.
func (s *source) look() {
	if !s.counted {
		return
	}
	if c, err := s.p.ChannelCounts(); err == nil {
		if c.DeadLettered < s.counts.DeadLettered || c.Accepted < s.counts.Accepted { // another process
			s.counts = channel.Counts{}
		}
		s.dead += c.DeadLettered - s.counts.DeadLettered
		s.counts = c
	}
}

// killAtRandom kills one thing after the other until ctx ends, and returns how often which.
func (p place) killAtRandom(ctx context.Context, s *source, keeper victim) map[string]int {
	kills := map[string]int{}
	for {
		select {
		case <-ctx.Done():
			return kills
		case <-time.After(*killEach/2 + rand.N(*killEach)):
		}
		s.look()
		victims := []victim{
			keeper,
			{"entrypoint", p.Name, client.MatchingLabels{"version-name": "kept-entrypoint"}},
			{"node", p.Name, client.MatchingLabels{"krt.dev/version": "kept", "krt.dev/node": fmt.Sprintf("n%d", 1+rand.N(3))}},
		}
		if v := victims[rand.N(len(victims))]; p.killOne(ctx, v) {
			kills[v.what]++
		}
	}
}

// killOne kills the processes of a pod, so that they see nothing of it, and deletes the pod, so that the
// next one does not wait as one does that has crashed.
func (p place) killOne(ctx context.Context, v victim) bool {
	pods, err := p.pods(ctx, v.in, v.labels)
	if err != nil || len(pods) == 0 {
		return false
	}
	pod := &pods[rand.N(len(pods))]
	killProcesses(pod)
	return p.client.Delete(ctx, pod, client.GracePeriodSeconds(0)) == nil
}
