package durable_test

import (
	"context"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/letter"
	"krt.dev/kn-krt/pkg/runner/event"
)

// says has a node send an early reply to the replica and then do what it does by itself, or without: respond with no event.
func (n *node) says(to *replica, early string, silent bool) {
	n.works(func(_ context.Context, in *event.Event, text string) (int, *event.Event) {
		reply := in.Next(event.Source("test", "v1", n.name), event.TypeReply, "test.Reply", encode(early))
		require.Equal(n.t, http.StatusAccepted, to.post(reply))
		if silent {
			return ended()
		}
		return http.StatusOK, n.next(in, text+">"+n.name)
	})
}

// The first response to a request that no client waits for is its result, as it is what a client that waits gets: what
// comes of the work behind it replaces it by nothing, and needs no other response.
func TestAnEarlyReplyIsTheResult(t *testing.T) {
	silent := func(context.Context, *event.Event, string) (int, *event.Event) { return ended() }
	fails := func(context.Context, *event.Event, string) (int, *event.Event) { return http.StatusForbidden, nil }
	for name, c := range map[string]struct {
		node int // that replies early
		last func(context.Context, *event.Event, string) (int, *event.Event)
		dead int
	}{
		"the last node responds":             {},
		"the last node ends without a word":  {last: silent},
		"the last node fails":                {last: fails, dead: 1},
		"the node before the last replies":   {node: 1, last: silent},
		"the last node itself replies early": {node: 2},
	} {
		t.Run(name, func(t *testing.T) {
			v := start(t)
			r := v.serve()
			v.nodes[2].works(c.last)
			v.nodes[c.node].says(r, "early", false)
			id := r.accepted("x")
			require.Equal(t, "early", decode(t, v.letters.await(t, letter.Result, id).Data))
			r.empty()
			kept := v.letters.find(letter.Result, id)
			require.Nil(t, kept.Status)
			require.Equal(t, []any{"early", v.nodes[c.node].name}, []any{decode(t, kept.Data), kept.Node})
			require.Equal(t, c.dead, v.letters.count(letter.Dead))
			require.Equal(t, 1, v.nodes[2].ran("x>a>b"))
			r.shows("krt_held_bytes 0\n")
		})
	}
}

// A reply that is not a response is the failure that a client would get, and the work goes on.
func TestAnEarlyReplyThatIsNoResponse(t *testing.T) {
	v := start(t)
	r := v.serve()
	v.nodes[0].works(func(_ context.Context, in *event.Event, text string) (int, *event.Event) {
		r.post(in.Next(event.Source("test", "v1", "a"), event.TypeReply, "test.Request", encode("early")))
		return http.StatusOK, v.nodes[0].next(in, text+">a")
	})
	id := r.accepted("x")
	r.empty()
	kept := v.letters.find(letter.Result, id)
	require.Contains(t, kept.Status.Message, "expected test.Reply")
	require.Equal(t, 1, v.nodes[2].ran("x>a>b"))
	require.Zero(t, v.letters.count(letter.Dead))
}

// only is the one letter of a kind.
func only(t *testing.T, v *version, k letter.Kind) letter.Letter {
	t.Helper()
	page, err := v.letters.List(t.Context(), k, letter.Selection{Version: "v1"})
	require.NoError(t, err)
	require.Len(t, page.Letters, 1)
	return page.Letters[0]
}

// Work behind an early reply, whose client needs no other response, is replayed with success where the nodes that are
// left respond with no event.
func TestAReplayEndsWithoutAResponse(t *testing.T) {
	v := start(t)
	r := v.serve()
	v.nodes[0].says(r, "early", false)
	v.nodes[1].works(func(context.Context, *event.Event, string) (int, *event.Event) { return http.StatusForbidden, nil })
	_, err := r.call(t.Context(), "x")
	require.NoError(t, err)
	r.empty()
	dead := only(t, v, letter.Dead)
	fails := true
	v.nodes[1].works(func(_ context.Context, in *event.Event, text string) (int, *event.Event) {
		if fails {
			return http.StatusForbidden, nil
		}
		return http.StatusOK, v.nodes[1].next(in, text+">b")
	})
	v.nodes[2].works(func(context.Context, *event.Event, string) (int, *event.Event) { return ended() })
	v.succeeds(func() error { return r.carrier.Replay(t.Context(), dead) })
	r.empty()
	require.Equal(t, 1, only(t, v, letter.Dead).Replays, "it has failed again")
	fails = false
	v.succeeds(func() error { return r.carrier.Replay(t.Context(), only(t, v, letter.Dead)) })
	r.empty()
	require.Zero(t, v.letters.count(letter.Dead))
	require.Equal(t, 1, v.nodes[2].ran("x>a>b"))
}
