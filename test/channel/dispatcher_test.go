package channel

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Two channels with a step each, as a Sequence makes them; the last reply goes to a sink.
func TestEventsPassThroughChannels(t *testing.T) {
	h := newHarness(t, Options{})
	first, second, last := newSink(t, echo("a")), newSink(t, echo("b")), newSink(t, nil)
	two := Key{"ns", "two"}
	h.channel(one, Faults{}, to("1", first.URL, h.address(two), "", 3))
	h.channel(two, Faults{}, to("2", second.URL, last.URL, "", 3))
	h.accepted(one, "1", "in")
	c := h.idle()
	require.Equal(t, []string{"in>a>b"}, last.texts())
	require.Equal(t, Counts{Accepted: 2, Delivered: 2}, c)
	got := last.got[0].Header
	require.Equal(t, []string{"w"}, got["Ce-Krtworkflow"])
	require.Equal(t, "text/plain", got.Get("Content-Type"))
	require.Equal(t, "reply", first.got[0].Header.Get("Prefer"))
}

// What was accepted is delivered by the next process, also what is stored in between.
func TestStoredEventsSurviveARestart(t *testing.T) {
	h := newHarness(t, Options{Workers: 2})
	var open atomic.Bool
	node := newSink(t, func(w http.ResponseWriter, _ int, _ *http.Request, _ string) {
		if !open.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	subscriber := to("1", node.URL, "", "http://127.0.0.1:1", 1<<20)
	h.channel(one, Faults{}, subscriber)
	for i := range 20 {
		h.accepted(one, fmt.Sprint(i), fmt.Sprint(i))
	}
	h.restart()
	status, _ := h.post(one, "x", "x")
	require.Equal(t, http.StatusNotFound, status, "its channels are not known yet")
	require.EqualValues(t, 20, h.d.Counts().Pending)
	open.Store(true)
	before := len(node.texts())
	h.channel(one, Faults{}, subscriber)
	h.idle()
	delivered := map[string]bool{}
	for _, text := range node.texts()[before:] {
		delivered[text] = true
	}
	require.Len(t, delivered, 20)

	h.restart()
	require.Zero(t, h.d.Counts().Pending, "what was delivered is not stored any more")
}

func TestRetriesAndDeadLetters(t *testing.T) {
	for name, c := range map[string]struct {
		code, times, retry int
		tries              int
		dead               bool
	}{
		"accepted at last":      {503, 2, 3, 3, false},
		"given up":              {503, 100, 3, 4, true},
		"not found is retried":  {404, 1, 3, 2, false},
		"too many is retried":   {429, 1, 3, 2, false},
		"a refusal is final":    {400, 100, 3, 1, true},
		"without retries":       {500, 100, 0, 1, true},
		"too large is final":    {413, 100, 3, 1, true},
		"accepted at the first": {500, 0, 3, 1, false},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHarness(t, Options{})
			node, dead, reply := newSink(t, status(c.code, c.times)), newSink(t, nil), newSink(t, nil)
			h.channel(one, Faults{}, to("1", node.URL, reply.URL, dead.URL, c.retry))
			h.accepted(one, "1", "in")
			h.idle()
			require.Len(t, node.texts(), c.tries)
			require.Empty(t, reply.texts(), "there is no event to pass on")
			if !c.dead {
				require.Empty(t, dead.texts())
				return
			}
			require.Equal(t, []string{"in"}, dead.texts())
			header := dead.got[0].Header
			require.Equal(t, fmt.Sprint(c.code), header.Get("Ce-Knativeerrorcode"))
			require.Equal(t, node.URL, header.Get("Ce-Knativeerrordest"))
			require.Equal(t, "bm90IG5vdwo=", header.Get("Ce-Knativeerrordata"))
			require.Equal(t, "w", header.Get("Ce-Krtworkflow"))
		})
	}
}

// A reply that nobody accepts is a dead letter with the event that the subscriber got.
func TestAReplyThatIsNotAccepted(t *testing.T) {
	h := newHarness(t, Options{})
	node, reply, dead := newSink(t, echo("a")), newSink(t, status(500, 100)), newSink(t, nil)
	h.channel(one, Faults{}, to("1", node.URL, reply.URL, dead.URL, 2))
	h.accepted(one, "1", "in")
	h.idle()
	require.Len(t, node.texts(), 1, "the subscriber is not called again")
	require.Equal(t, []string{"in>a", "in>a", "in>a"}, reply.texts())
	require.Equal(t, []string{"in"}, dead.texts())
	require.Equal(t, reply.URL, dead.got[0].Header.Get("Ce-Knativeerrordest"))
}

func TestAResponseThatIsNotAnEvent(t *testing.T) {
	h := newHarness(t, Options{})
	node, dead := newSink(t, func(w http.ResponseWriter, _ int, _ *http.Request, _ string) { fmt.Fprint(w, "hello") }), newSink(t, nil)
	h.channel(one, Faults{}, to("1", node.URL, "", dead.URL, 3))
	h.accepted(one, "1", "in")
	h.idle()
	require.Len(t, node.texts(), 1)
	require.Len(t, dead.texts(), 1)
}

// A subscriber that nobody reaches is reported as Knative's channels report it.
func TestASubscriberThatIsNotThere(t *testing.T) {
	h := newHarness(t, Options{})
	gone, dead := newSink(t, nil), newSink(t, nil)
	gone.Close()
	h.channel(one, Faults{}, to("1", gone.URL, "", dead.URL, 2))
	h.accepted(one, "1", "in")
	require.EqualValues(t, 2, h.idle().Retried)
	require.Equal(t, "500", dead.got[0].Header.Get("Ce-Knativeerrorcode"))
	text, err := base64.StdEncoding.DecodeString(dead.got[0].Header.Get("Ce-Knativeerrordata"))
	require.NoError(t, err)
	require.Contains(t, string(text), "dispatch error: ")
	require.Contains(t, string(text), "connection refused")
}

// A trace goes on from step to step, although the responses of steps do not name it.
func TestATraceGoesOn(t *testing.T) {
	h := newHarness(t, Options{})
	const parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	node := newSink(t, func(w http.ResponseWriter, _ int, _ *http.Request, _ string) { w.Header().Set("Ce-Specversion", "1.0") })
	last := newSink(t, nil)
	h.channel(one, Faults{}, to("1", node.URL, last.URL, "", 0))
	status, text := h.post(one, "1", "in", "Traceparent", parent, "X-Other", "dropped")
	require.Equal(t, http.StatusAccepted, status, text)
	h.idle()
	for _, s := range []*sink{node, last} {
		require.Equal(t, parent, s.got[0].Header.Get("Traceparent"))
		require.Empty(t, s.got[0].Header.Get("X-Other"))
	}
}

// Neither the subscriber nor the dead-letter sink is there: the event waits until one is.
func TestNothingIsLostWhileAllAreAway(t *testing.T) {
	h := newHarness(t, Options{})
	node, dead := newSink(t, status(500, 100)), newSink(t, status(500, 5))
	h.channel(one, Faults{}, to("1", node.URL, "", dead.URL, 1))
	h.accepted(one, "1", "in")
	c := h.idle()
	require.EqualValues(t, 1, c.DeadLettered)
	require.Len(t, dead.texts(), 6)
}

func TestWhatIsRefused(t *testing.T) {
	h := newHarness(t, Options{MaxBytes: 100})
	node := newSink(t, nil)
	h.channel(one, Faults{MaxBytes: 10}, to("1", node.URL, "", "", 0))
	refuse, full := Key{"ns", "refuse"}, Key{"ns", "full"}
	h.channel(refuse, Faults{Refuse: 100}, to("1", node.URL, "", "", 0))
	h.channel(full, Faults{}, to("1", node.URL, "", "", 0))
	for name, c := range map[string]struct {
		key     Key
		data    string
		headers []string
		status  int
		text    string
	}{
		"unknown":           {Key{"ns", "none"}, "", nil, 404, "no channel"},
		"too large":         {one, strings.Repeat("x", 11), nil, 413, "the 10 bytes that the channel takes"},
		"larger than all":   {full, strings.Repeat("x", 101), nil, 413, "the 100 bytes"},
		"no id":             {one, "", []string{"Ce-Id", ""}, 400, "no id"},
		"no version":        {one, "", []string{"Ce-Specversion", ""}, 400, "binary mode"},
		"a relative schema": {one, "", []string{"Ce-Dataschema", "type.googleapis.com/x"}, 400, "not an absolute URI"},
		"by chance":         {refuse, "", nil, 503, "its faults"},
	} {
		t.Run(name, func(t *testing.T) {
			status, text := h.post(c.key, "1", c.data, c.headers...)
			require.Equal(t, c.status, status, text)
			require.Contains(t, text, c.text)
		})
	}
	require.Equal(t, Counts{Refused: 1}, h.idle())
	require.Empty(t, node.texts())
}

func TestAFullStoreRefuses(t *testing.T) {
	h := newHarness(t, Options{StoreBytes: 100})
	node := newSink(t, func(_ http.ResponseWriter, _ int, r *http.Request, _ string) { <-r.Context().Done() })
	h.channel(one, Faults{}, to("1", node.URL, "", "", 0))
	h.accepted(one, "1", strings.Repeat("x", 200))
	status, text := h.post(one, "2", "x")
	require.Equal(t, http.StatusServiceUnavailable, status)
	require.Contains(t, text, "the store is full")
	h.d.Remove(one)
	require.EqualValues(t, 0, h.idle().Pending)
}

func TestFaults(t *testing.T) {
	t.Run("repeat", func(t *testing.T) {
		h := newHarness(t, Options{})
		node := newSink(t, nil)
		h.channel(one, Faults{Repeat: 100}, to("1", node.URL, "", "", 0))
		h.accepted(one, "1", "a")
		h.accepted(one, "2", "b")
		c := h.idle()
		require.Equal(t, map[string]int{"a": 2, "b": 2}, node.times())
		require.EqualValues(t, 2, c.Repeated)
	})
	t.Run("hold back", func(t *testing.T) {
		var done atomic.Bool
		h := newHarness(t, Options{Workers: 1, Chance: func(percent int) bool {
			return percent == 100 && done.CompareAndSwap(false, true)
		}})
		hold := make(chan struct{})
		node := newSink(t, func(_ http.ResponseWriter, n int, _ *http.Request, _ string) {
			if n == 0 {
				<-hold
			}
		})
		h.channel(one, Faults{}, to("1", node.URL, "", "", 0))
		h.accepted(one, "0", "busy")
		require.Eventually(t, func() bool { return len(node.texts()) == 1 }, patience, time.Millisecond)
		h.channel(one, Faults{HoldBack: 100}, to("1", node.URL, "", "", 0))
		h.accepted(one, "1", "a")
		h.accepted(one, "2", "b")
		close(hold)
		c := h.idle()
		require.Equal(t, []string{"busy", "b", "a"}, node.texts())
		require.EqualValues(t, 1, c.HeldBack)
	})
	t.Run("hide", func(t *testing.T) {
		h := newHarness(t, Options{})
		node := newSink(t, nil)
		h.channel(one, Faults{Hide: 100}, to("1", node.URL, "", "", 0))
		status, _ := h.post(one, "1", "a")
		require.Zero(t, status, "the connection breaks")
		h.idle()
		require.Equal(t, []string{"a"}, node.texts())
	})
	t.Run("delay and accept first", func(t *testing.T) {
		h := newHarness(t, Options{})
		node := newSink(t, nil)
		h.channel(one, Faults{Delay: "1ms", AcceptFirst: true}, to("1", node.URL, "", "", 0))
		h.accepted(one, "1", "a")
		h.eventually(func(c Counts) bool { return c.Delivered == 1 })
		require.Equal(t, []string{"a"}, node.texts())
	})
	t.Run("forget first", func(t *testing.T) {
		h := newHarness(t, Options{})
		var stored atomic.Int64
		node := newSink(t, echo("a"))
		reply := newSink(t, func(http.ResponseWriter, int, *http.Request, string) { stored.Store(h.d.journal.Bytes()) })
		h.channel(one, Faults{}, to("1", node.URL, reply.URL, "", 0))
		h.accepted(one, "1", "in")
		h.idle()
		require.NotZero(t, stored.Load(), "it is stored until its reply is delivered")
		h.channel(one, Faults{ForgetFirst: true}, to("1", node.URL, reply.URL, "", 0))
		h.accepted(one, "2", "in")
		h.eventually(func(c Counts) bool { return c.Delivered == 2 && c.Pending == 0 })
		require.Zero(t, stored.Load(), "it was forgotten before")
	})
}

// What was to be sent to a subscriber that is gone is dropped, and that of others is not.
func TestSubscribersThatAreGone(t *testing.T) {
	h := newHarness(t, Options{Workers: 1})
	slow := newSink(t, func(_ http.ResponseWriter, _ int, r *http.Request, _ string) { <-r.Context().Done() })
	h.channel(one, Faults{}, to("1", slow.URL, "", "", 0), to("2", slow.URL, "", "", 0))
	for i := range 3 {
		h.accepted(one, fmt.Sprint(i), "x")
	}
	require.EqualValues(t, 6, h.d.Counts().Pending)
	h.channel(one, Faults{}, to("2", slow.URL, "", "", 0))
	h.eventually(func(c Counts) bool { return c.Pending == 3 })
	h.restart()
	require.EqualValues(t, 3, h.d.Counts().Pending)
	h.d.RemoveUnknown()
	require.Zero(t, h.idle().Pending)
}
