package entrypoint_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/grpc/codes"

	"krt.dev/kn-krt/pkg/entrypoint/record"
	"krt.dev/kn-krt/pkg/runner/event"
)

// whole returns what sends texts and ends so.
func whole(e event.End, texts ...string) func(*frames) error {
	return func(out *frames) error {
		out.send(texts...)
		out.end(e)
		return nil
	}
}

func TestNodesOfASequenceStreamByTheReplyPort(t *testing.T) {
	f := newFixture(t)
	events := f.sequenced(quick(), "a", "b")
	call := f.open(t.Context(), "x")
	in := <-events
	require.Equal(t, event.Stream{Last: "b", Message: "test.Reply"}, in.Stream)
	require.Equal(t, http.StatusAccepted, f.postStream(in, "a", whole(event.End{Next: true}, "from a")))
	status := f.postStream(in.Next(event.Source("test", "v1", "a"), event.TypeMessage, "test.Request", nil), "b", func(out *frames) error {
		out.send("1", "2")
		for _, want := range []string{"from a", "1", "2"} {
			got, err := call.next()
			require.NoError(t, err)
			require.Equal(t, want, got, "it has come before the end")
		}
		out.end(event.End{})
		return nil
	})
	require.Equal(t, http.StatusAccepted, status)
	rest, err := call.all()
	require.NoError(t, err)
	require.Empty(t, rest)
	require.Equal(t, http.StatusGone, f.postStream(in, "c", whole(event.End{}, "late")))
	require.Contains(t, f.metrics(), `krt_replies_dropped_total{reason="late"} 1`)
}

func TestAPartOfASequenceThatFails(t *testing.T) {
	failure := event.Failure{Code: code.Code_NOT_FOUND, Reason: event.ReasonHandlerError, Text: "error in 'a': no"}.Status()
	broken := func(bytes string) func(*frames) error {
		return func(out *frames) error {
			out.send("1")
			_, err := out.Write([]byte(bytes))
			if bytes == "" {
				err = context.Canceled
			}
			return err
		}
	}
	for name, c := range map[string]struct {
		write  func(*frames) error
		status int
		code   codes.Code
		text   string
	}{
		"an error":        {whole(event.End{Failure: failure}, "1"), http.StatusAccepted, codes.NotFound, "error in 'a': no"},
		"it breaks off":   {broken(""), 0, codes.Unavailable, `node "a" broke off the stream after 1 messages: `},
		"it is malformed": {broken("request timeout"), http.StatusBadRequest, codes.Unavailable, "not a frame of a stream"},
		"it has no end":   {broken("\x00"), http.StatusBadRequest, codes.Unavailable, `after 1 messages: unexpected EOF`},
		"one is too large": {
			whole(event.End{}, "1", strings.Repeat("x", 2000)), http.StatusGone, codes.ResourceExhausted,
			`node "a": its response is too large`,
		},
		"there are too many": {
			whole(event.End{}, "1", "2", "3", "4"), http.StatusGone, codes.ResourceExhausted,
			"more messages than it may have: 3",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, o := newFixture(t), quick()
			o.MaxMessageBytes, o.StreamMessages = 1000, 3
			events := f.sequenced(o, "a")
			call := f.open(t.Context(), "x")
			require.Equal(t, c.status, f.postStream(<-events, "a", c.write))
			texts, err := call.all()
			text, _ := failed(t, err, c.code)
			require.Contains(t, text, c.text)
			require.NotEmpty(t, texts)
			require.Equal(t, "1", texts[0])
		})
	}
}

// Before its first message a node that broke off runs again, and the request waits for it.
func TestASequenceTriesAgainBeforeTheFirstMessage(t *testing.T) {
	f := newFixture(t)
	events := f.sequenced(quick(), "a")
	call := f.open(t.Context(), "x")
	in := <-events
	require.Zero(t, f.postStream(in, "a", func(out *frames) error {
		_, _ = out.Write([]byte{0, 0})
		return context.Canceled
	}))
	require.Eventually(t, func() bool { // the entrypoint may not have noticed yet
		return f.postStream(in, "a", whole(event.End{}, "again")) == http.StatusAccepted
	}, time.Minute, time.Millisecond)
	texts, err := call.all()
	require.NoError(t, err)
	require.Equal(t, []string{"again"}, texts)
}

func TestASecondDeliveryFindsTheStreamTaken(t *testing.T) {
	f := newFixture(t)
	events := f.sequenced(quick(), "a", "b")
	call := f.open(t.Context(), "x")
	in := <-events
	require.Equal(t, http.StatusAccepted, f.postStream(in, "a", func(out *frames) error {
		out.send("1")
		got, err := call.next()
		require.NoError(t, err)
		require.Equal(t, "1", got)
		require.Equal(t, http.StatusConflict, f.postStream(in, "a", whole(event.End{}, "second")), "it is being sent")
		require.Equal(t, http.StatusServiceUnavailable, f.postStream(in, "b", whole(event.End{}, "b")), "a sends now")
		out.end(event.End{Next: true})
		return nil
	}))
	require.Equal(t, http.StatusConflict, f.postStream(in, "a", whole(event.End{}, "second")), "it has been sent")
	require.Equal(t, http.StatusAccepted, f.postStream(in, "b", whole(event.End{}, "2")))
	texts, err := call.all()
	require.NoError(t, err)
	require.Equal(t, []string{"2"}, texts)
	require.Contains(t, f.metrics(), `krt_replies_dropped_total{reason="duplicate"} 2`)
}

// An early exit of a node makes its messages the stream.
func TestAnExitIsTheStream(t *testing.T) {
	o, seen := observed()
	f := newFixture(t)
	events := f.sequenced(o, "a", "b")
	call := f.open(t.Context(), "x")
	exit := event.End{Steps: event.Steps("").Append(ran("a", event.OutcomeExit))}
	require.Equal(t, http.StatusAccepted, f.postStream(<-events, "a", whole(exit, "1", "bye")))
	texts, err := call.all()
	require.NoError(t, err)
	require.Equal(t, []string{"1", "bye"}, texts)
	f.awaits("krt_requests_in_flight 1") // the Sequence has not responded yet
	r := seen.take(t, 1)[0]
	require.Equal(t, []any{record.EarlyExit, "a exit"}, []any{r.Early, stepsOf(r)})
}

func TestForgedStreamsAreDropped(t *testing.T) {
	f := newFixture(t)
	events := f.sequenced(quick(), "a")
	call := f.open(t.Context(), "x")
	in := <-events
	other := newFixture(t)
	foreign := other.sequenced(quick(), "a")
	otherCall := other.open(t.Context(), "x")
	theirs := <-foreign
	for name, forge := range map[string]func(*event.Event){
		"no token":                      func(e *event.Event) { e.ReplyToken = "" },
		"a token of garbage":            func(e *event.Event) { e.ReplyToken = "garbage" },
		"a token of another version":    func(e *event.Event) { e.ReplyToken = theirs.ReplyToken },
		"another request's right token": func(e *event.Event) { e.CorrelationID = theirs.CorrelationID },
	} {
		forged := *in
		forge(&forged)
		require.Equal(t, http.StatusGone, f.postStream(&forged, "a", whole(event.End{}, "forged")), name)
	}
	require.Equal(t, http.StatusBadRequest, f.postWith("/stream", http.Header{}, nil), "not an event")
	require.Equal(t, http.StatusBadRequest, f.post("/stream", f.replyTo(in, "not frames")))
	require.Equal(t, http.StatusAccepted, f.postStream(in, "a", whole(event.End{}, "true")))
	texts, err := call.all()
	require.NoError(t, err)
	require.Equal(t, []string{"true"}, texts)
	metrics := f.metrics()
	require.Contains(t, metrics, `krt_replies_dropped_total{reason="bad_token"} 3`)
	require.Contains(t, metrics, `krt_replies_dropped_total{reason="no_token"} 1`)
	require.Contains(t, metrics, `krt_replies_dropped_total{reason="no_event"} 2`)
	require.Equal(t, http.StatusAccepted, other.postStream(theirs, "a", whole(event.End{})))
	_, err = otherCall.all()
	require.NoError(t, err)
}

func TestAStreamOfAUnaryRpcIsRefused(t *testing.T) {
	f := newFixture(t)
	in, answer := f.waiting(quick())
	require.Equal(t, http.StatusBadRequest, f.postStream(in, "a", whole(event.End{}, "x")))
	require.Equal(t, http.StatusAccepted, f.post("/reply", f.replyTo(in, "right")))
	text, err := answer()
	require.NoError(t, err)
	require.Equal(t, "right", text)
}

// What is refused is not read, so that nothing of it is lost.
func TestAStreamIsRefusedBeforeItIsRead(t *testing.T) {
	o := quick()
	o.Key = make([]byte, 32)
	holder, taker := newFixture(t), newFixture(t)
	events := holder.sequenced(o, "a", "b")
	taker.sequenced(o, "a", "b")
	call := holder.open(t.Context(), "x")
	in := <-events
	require.Equal(t, http.StatusAccepted, holder.postStream(in, "a", func(out *frames) error {
		out.send("1")
		_, err := call.next()
		require.NoError(t, err)
		for node, want := range map[string]int{"a": http.StatusConflict, "b": http.StatusServiceUnavailable} {
			for _, at := range []*fixture{holder, taker} {
				status := at.postStream(in, node, func(out *frames) error {
					_, err := out.Write([]byte{0})
					assert.Error(t, err, "it was read")
					return nil
				}, "Expect", "100-continue")
				require.Equal(t, want, status)
			}
		}
		out.end(event.End{})
		return nil
	}))
	_, err := call.all()
	require.NoError(t, err)
}

// A client that goes ends what the node sends, at the other replica too.
func TestAClientThatGoesEndsTheStream(t *testing.T) {
	for _, by := range []string{"the same replica", "the other replica"} {
		t.Run(by, func(t *testing.T) {
			f, o := newFixture(t), quick()
			o.Key = make([]byte, 32)
			events := f.sequenced(o, "a")
			at := f
			if by == "the other replica" {
				at = newFixture(t)
				at.sequenced(o, "a")
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			call := f.open(ctx, "x")
			gone := make(chan struct{})
			status := at.postStream(<-events, "a", func(out *frames) error {
				out.send("1")
				_, err := call.next()
				require.NoError(t, err)
				cancel()
				<-gone // the response comes though the body has not ended
				return nil
			})
			close(gone)
			require.Equal(t, http.StatusGone, status)
			f.awaitNothing(t)
			at.awaitNothing(t)
		})
	}
}

func TestAStreamAtTheOtherReplica(t *testing.T) {
	o := quick()
	o.Key = make([]byte, 32)
	holder, taker := newFixture(t), newFixture(t)
	events := holder.sequenced(o, "a")
	taker.sequenced(o, "a")
	call := holder.open(t.Context(), "x")
	in := <-events
	require.Equal(t, http.StatusGone, taker.postStream(in, "a", whole(event.End{}, "x"), "Krt-Forwarded", "1"), "not passed on twice")
	require.Equal(t, http.StatusAccepted, taker.postStream(in, "a", func(out *frames) error {
		out.send("1")
		got, err := call.next()
		require.NoError(t, err)
		require.Equal(t, "1", got, "it has come before the end")
		out.send("2")
		out.end(event.End{})
		return nil
	}))
	texts, err := call.all()
	require.NoError(t, err)
	require.Equal(t, []string{"2"}, texts)
	require.Contains(t, taker.metrics(), "krt_replies_forwarded_total 1")
	require.Equal(t, http.StatusGone, taker.postStream(in, "a", whole(event.End{}, "late")), "as the holder responds")
}

// A replica that is gone has no client any more.
func TestAStreamForAReplicaThatIsGone(t *testing.T) {
	o := quick()
	o.Key = make([]byte, 32)
	gone := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		assert.NoError(t, err)
		_ = conn.Close()
	}))
	defer gone.Close()
	o.Advertise = strings.TrimPrefix(gone.URL, "http://")
	holder := newFixture(t)
	events := holder.sequenced(o, "a")
	call := holder.open(t.Context(), "x")
	o.Advertise = ""
	taker := newFixture(t)
	taker.sequenced(o, "a")
	in := <-events
	require.Equal(t, http.StatusGone, taker.postStream(in, "a", whole(event.End{}, "x")))
	require.Contains(t, taker.metrics(), `krt_replies_dropped_total{reason="forward_failed"} 1`)
	require.Equal(t, http.StatusAccepted, holder.postStream(in, "a", whole(event.End{}, "x")))
	_, err := call.all()
	require.NoError(t, err)
}

// Nothing has been sent to a replica that accepts no connection.
func TestAStreamForAReplicaThatAcceptsNoConnection(t *testing.T) {
	o := quick()
	o.Key = make([]byte, 32)
	o.Advertise, _ = closed(t)
	holder := newFixture(t)
	events := holder.sequenced(o, "a")
	call := holder.open(t.Context(), "x")
	o.Advertise = ""
	taker := newFixture(t)
	taker.sequenced(o, "a")
	in := <-events
	require.Equal(t, http.StatusServiceUnavailable, taker.postStream(in, "a", whole(event.End{}, "x")))
	require.Equal(t, http.StatusAccepted, holder.postStream(in, "a", whole(event.End{}, "x")))
	_, err := call.all()
	require.NoError(t, err)
}
