package warm_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/entrypoint/record"
	"krt.dev/kn-krt/pkg/entrypoint/warm"
	"krt.dev/kn-krt/pkg/runner/event"
)

// patient is for what a busy machine may take long to do.
const patient = time.Minute

// asked is a request that a node got.
type asked struct {
	node, line string
	header     http.Header
}

// chain is a waker of nodes that are real servers.
type chain struct {
	*warm.Waker
	t       *testing.T
	asked   chan asked // with room for more than a test has
	respond func(node string, w http.ResponseWriter, r *http.Request)
	now     time.Time
}

func newChain(t *testing.T, nodes ...string) *chain {
	t.Helper()
	c := &chain{t: t, asked: make(chan asked, 100), now: time.Now()}
	urls := map[string]string{}
	for _, name := range nodes {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			c.asked <- asked{name, r.Method + " " + r.RequestURI, r.Header}
			if c.respond != nil {
				c.respond(name, w, r)
			}
		}))
		t.Cleanup(s.Close)
		urls[name] = s.URL
	}
	var err error
	c.Waker, err = warm.New(urls, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c
}

// begin has a request begin so long after the last one.
func (c *chain) begin(after time.Duration, steps ...string) {
	c.now = c.now.Add(after)
	c.Chain(steps).Begin(c.now)
}

// counted waits until so many requests of a node have ended with a result.
func (c *chain) counted(n int, node, result string) {
	c.t.Helper()
	require.Eventually(c.t, func() bool { return c.count(node, result) == n }, patient, time.Millisecond)
}

func (c *chain) count(node, result string) int {
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(c.Waker)
	families, err := registry.Gather()
	require.NoError(c.t, err)
	for _, m := range families[0].GetMetric() {
		if m.GetLabel()[0].GetValue() == node && m.GetLabel()[1].GetValue() == result {
			return int(m.GetCounter().GetValue())
		}
	}
	require.Fail(c.t, "there is no such series")
	return 0
}

// responded has a request end now in which nodes have responded.
func (c *chain) responded(nodes ...string) {
	r := &record.Record{}
	for _, name := range nodes {
		r.Steps = append(r.Steps, event.Step{Node: name, Start: c.now.Add(-3 * time.Second), Wait: time.Second, Run: 2 * time.Second})
	}
	c.Observe(r)
}

func TestLaterNodesAreWokenTogether(t *testing.T) {
	c := newChain(t, "a", "b", "c")
	together := make(chan struct{})
	arrived := make(chan string, 2)
	c.respond = func(node string, _ http.ResponseWriter, _ *http.Request) {
		arrived <- node
		<-together
	}
	c.begin(0, "a", "b", "always-up", "c", "b", "a")
	require.ElementsMatch(t, []string{"b", "c"}, []string{<-arrived, <-arrived}, "before either has responded")
	c.begin(time.Minute, "a", "b", "c") // they are on their way
	close(together)
	c.counted(1, "b", "ok")
	c.counted(1, "c", "ok")
	require.Len(t, c.asked, 2)
	for range 2 {
		got := <-c.asked
		require.Equal(t, "GET /readyz", got.line)
		// The activator, and queue-proxy, respond to requests that have these, without the node.
		require.Empty(t, got.header.Get("K-Network-Probe"))
		require.Empty(t, got.header.Get("K-Kubelet-Probe"))
		require.Equal(t, "kn-krt", got.header.Get("User-Agent"))
	}
}

// A node at which an event is need not be woken, however long it has not responded.
func TestNodesAtWorkAreNotWoken(t *testing.T) {
	c := newChain(t, "b", "c")
	looks, works := map[string]int{}, "b"
	c.Working(func(node string) bool {
		looks[node]++
		return node == works
	})
	c.begin(0, "a", "b", "c")
	c.counted(1, "c", "ok")
	for range 5 {
		c.begin(100*time.Millisecond, "a", "b", "c")
	}
	require.Equal(t, map[string]int{"b": 1, "c": 1}, looks, "it is not looked for each request")
	c.begin(time.Second, "a", "b", "c")
	require.Equal(t, 2, looks["b"])
	works = ""
	c.begin(time.Second, "a", "b", "c")
	c.counted(1, "b", "ok")
	require.Len(t, c.asked, 2)
}

func TestNodesThatAreUpAreNotWoken(t *testing.T) {
	c := newChain(t, "b", "c")
	c.responded("a", "b")
	c.begin(0, "a", "b", "c")
	c.counted(1, "c", "ok")
	c.responded("b", "c")
	c.begin(4*time.Second, "a", "b", "c")
	c.begin(2*time.Second, "a", "b") // 6 s after it has responded
	c.counted(1, "b", "ok")
	require.Len(t, c.asked, 2)
}

// Events that end before a node do not keep it up.
func TestANodeThatGetsNoEventIsLeftAlone(t *testing.T) {
	c := newChain(t, "b")
	c.begin(0, "a", "b")
	c.counted(1, "b", "ok")
	for range 50 {
		c.begin(time.Minute, "a", "b")
		c.responded("a")
	}
	require.Equal(t, 1, c.count("b", "ok"))
	c.begin(11*time.Minute, "a", "b") // more than an hour after the first
	c.counted(2, "b", "ok")
	c.responded("b")
	c.begin(time.Minute, "a", "b")
	c.counted(3, "b", "ok")
	require.Len(t, c.asked, 3)
}

// A node whose last pod stays for an hour would otherwise always be up.
func TestANodeThatIsWokenInVainIsWokenEverLessOften(t *testing.T) {
	c := newChain(t, "b")
	woken := 0
	wakes := func(after time.Duration, yes bool) {
		t.Helper()
		c.begin(after, "a", "b")
		if yes {
			woken++
		}
		c.counted(woken, "b", "ok")
		require.Len(t, c.asked, woken)
	}
	wakes(0, true)
	for _, hours := range []time.Duration{1, 2, 4, 8, 16, 24, 24} {
		wakes(hours*time.Hour-time.Second, false)
		wakes(time.Second, true)
	}
	c.responded("b")
	wakes(time.Minute, true)
	wakes(time.Hour, true)
}

// An event may reach a node that is up before the request that woke it has ended.
func TestANodeWithAnEventBeforeItsWakeHasEndedWasNotWokenInVain(t *testing.T) {
	c := newChain(t, "b")
	c.respond = func(string, http.ResponseWriter, *http.Request) { c.responded("b") }
	c.begin(0, "a", "b")
	c.counted(1, "b", "ok")
	c.respond = nil
	c.begin(time.Minute, "a", "b")
	c.counted(2, "b", "ok")
	c.begin(time.Hour, "a", "b")
	c.counted(3, "b", "ok")
}

// Whether an event has reached a node is then known at another replica.
func TestANodeOfASharedWakerIsWokenEachHour(t *testing.T) {
	c := newChain(t, "b")
	c.Shared()
	c.begin(0, "a", "b")
	for woken := 1; woken < 5; woken++ {
		c.counted(woken, "b", "ok")
		c.begin(time.Hour-time.Second, "a", "b")
		c.begin(time.Second, "a", "b")
		c.counted(woken+1, "b", "ok")
		require.Len(t, c.asked, woken+1)
	}
}

func TestANodeThatCouldNotBeWokenIsTriedAgain(t *testing.T) {
	c := newChain(t, "b")
	c.respond = func(_ string, w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "no", http.StatusServiceUnavailable)
	}
	c.begin(0, "a", "b")
	c.counted(1, "b", "failed")
	c.respond = func(_ string, w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/", http.StatusFound) }
	c.begin(10*time.Second, "a", "b")
	c.counted(2, "b", "failed")
	require.Zero(t, c.count("b", "ok"))
}

func TestCloseEndsWhatIsOnItsWay(t *testing.T) {
	c := newChain(t, "b")
	ended := make(chan struct{})
	c.respond = func(_ string, _ http.ResponseWriter, r *http.Request) {
		<-r.Context().Done()
		close(ended)
	}
	c.begin(0, "a", "b")
	<-c.asked
	c.Close()
	<-ended
	require.Zero(t, c.count("b", "failed"), "it has not failed")
}

// Knative counts an event and a request of ours that wait for the same pod as two.
func TestARequestEndsWhenTheEventArrives(t *testing.T) {
	c := newChain(t, "b", "c")
	ended := make(chan string, 2)
	c.respond = func(node string, _ http.ResponseWriter, r *http.Request) {
		<-r.Context().Done()
		ended <- node
	}
	c.begin(0, "a", "b", "c")
	<-c.asked
	<-c.asked
	c.Arrives("b")
	require.Equal(t, "b", <-ended)
	c.counted(1, "b", "overtaken")
	require.Zero(t, c.count("b", "ok")+c.count("b", "failed")+c.count("c", "overtaken"))
	c.Arrives("a") // it is not woken
	c.Arrives("b") // nor is it any more
	c.responded("b")
	c.begin(time.Minute, "a", "b", "c")
	require.Equal(t, "b", (<-c.asked).node)
	c.Arrives("c")
	require.Equal(t, "c", <-ended)
}

func TestNothingIsWokenWithoutAWaker(t *testing.T) {
	var none *warm.Waker
	none.Arrives("b")
	none.Chain([]string{"a", "b"}).Begin(time.Now())
	require.Nil(t, none.Chain([]string{"a", "b"}))
	c := newChain(t, "a")
	require.Nil(t, c.Chain([]string{"a"}))
	require.Nil(t, c.Chain([]string{"a", "b"}), "the event wakes the first, and the other is always up")
	require.Nil(t, c.Chain(nil))
}

func TestURLsThatCannotBeUsed(t *testing.T) {
	for _, url := range []string{"", "b", "ftp://b", "http://", "http://b:x:y", "\n"} {
		_, err := warm.New(map[string]string{"b": url}, slog.Default())
		require.ErrorContains(t, err, `node "b": `)
		require.ErrorContains(t, err, "is not a URL such as")
	}
}

// What an event costs whose nodes are all up.
func BenchmarkBegin(b *testing.B) {
	w, err := warm.New(map[string]string{"b": "http://b", "c": "http://c", "d": "http://d"}, slog.Default())
	require.NoError(b, err)
	steps := []string{"a", "b", "c", "d"}
	now := time.Now()
	r := &record.Record{}
	for _, name := range steps {
		r.Steps = append(r.Steps, event.Step{Node: name, Start: now})
	}
	chain := w.Chain(steps)
	for b.Loop() {
		chain.Begin(now)
		w.Observe(r)
	}
}
