package entrypoint_test

import (
	"context"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/grpc/codes"

	"krt.dev/kn-krt/pkg/entrypoint"
	"krt.dev/kn-krt/pkg/entrypoint/record"
	"krt.dev/kn-krt/pkg/runner/event"
)

func TestCutAfterK(t *testing.T) {
	for name, c := range map[string]struct {
		write func(out *frames)
		text  string
	}{
		"the connection breaks": {func(*frames) { panic(http.ErrAbortHandler) }, "unexpected EOF"},
		"without an end":        {func(*frames) {}, "unexpected EOF"},
		"in a header":           {func(out *frames) { _, _ = out.Write([]byte{0, 0, 0}) }, "unexpected EOF"},
		"in a message":          {func(out *frames) { _, _ = out.Write([]byte{0, 0, 0, 0, 9, 'x'}) }, "unexpected EOF"},
		"in an end":             {func(out *frames) { _, _ = out.Write([]byte{2, 0, 0, 0, 9, '{'}) }, "unexpected EOF"},
		"by a proxy":            {func(out *frames) { _, _ = out.Write([]byte("request timeout")) }, "not a frame of a stream"},
		"by another end":        {func(out *frames) { _, _ = out.Write([]byte{2, 0, 0, 0, 2, '[', ']'}) }, "not a frame of a stream"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			var ran atomic.Int32
			f.streamed(quick(), f.responds("a", func(_ context.Context, out *frames) {
				ran.Add(1)
				out.send("1", "2", "3")
				c.write(out)
			}))
			texts, err := f.open(t.Context(), "x").all()
			require.Equal(t, []string{"1", "2", "3"}, texts, "what was sent is sent")
			text, info := failed(t, err, codes.Unavailable)
			require.Contains(t, text, `node "a" broke off the stream after 3 messages: `)
			require.Contains(t, text, c.text)
			require.Equal(t, event.ReasonUnavailable, info.GetReason())
			require.Equal(t, "a", info.GetMetadata()["node"])
			require.EqualValues(t, 1, ran.Load(), "it must not run again once it has sent a message")
			f.awaitNothing(t)
		})
	}
}

// A node ends what it sends at the deadline by its own clock, which may be before the entrypoint's.
func TestCutAtTheDeadline(t *testing.T) {
	for within := time.Second; ; within *= 2 { // on a slow machine, the first message takes long
		f := newFixture(t)
		o := quick()
		o.Timeout, o.StreamTimeout = within, within
		f.serve(f.streaming(f.streams("a", func(_ context.Context, in *event.Event, send func(string) bool) event.End {
			send("1")
			<-time.After(time.Until(in.Deadline) - 20*time.Millisecond)
			panic(http.ErrAbortHandler)
		})), o)
		texts, err := f.open(t.Context(), "x").all()
		failed(t, err, codes.DeadlineExceeded)
		f.awaitNothing(t)
		f.awaits(`krt_requests_total{code="DEADLINE_EXCEEDED",workflow="flow"} 1`)
		if len(texts) > 0 {
			require.Equal(t, []string{"1"}, texts)
			return
		}
	}
}

func TestANodeIsTriedAgainBeforeItsFirstMessage(t *testing.T) {
	f := newFixture(t)
	var ran atomic.Int32
	f.streamed(quick(), f.responds("a", func(_ context.Context, out *frames) {
		if ran.Add(1) < 3 {
			_, _ = out.Write([]byte{0, 0})
			panic(http.ErrAbortHandler)
		}
		out.send("again")
		out.end(event.End{})
	}))
	texts, err := f.open(t.Context(), "x").all()
	require.NoError(t, err)
	require.Equal(t, []string{"again"}, texts)
	require.EqualValues(t, 3, ran.Load())
}

func TestAStreamEndsWithAnError(t *testing.T) {
	f := newFixture(t)
	failure := event.Failure{
		Code: code.Code_INTERNAL, Reason: event.ReasonHandlerError, Text: "error in 'a': no more", Node: "a",
	}
	f.streamed(quick(), f.responds("a", func(_ context.Context, out *frames) {
		out.send("1")
		out.end(event.End{Failure: failure.Status()})
	}))
	texts, err := f.open(t.Context(), "x").all()
	require.Equal(t, []string{"1"}, texts)
	text, info := failed(t, err, codes.Internal)
	require.Equal(t, "error in 'a': no more", text)
	require.Equal(t, event.ReasonHandlerError, info.GetReason())
	require.Equal(t, "a", info.GetMetadata()["node"])
}

func TestMessagesThatAreNotAccepted(t *testing.T) {
	o := quick()
	o.MaxMessageBytes, o.StreamMessages = 1000, 3
	for name, c := range map[string]struct {
		write  func(out *frames)
		code   codes.Code
		reason string
		text   string
		texts  int
	}{
		"one is too large": {
			func(out *frames) { out.send("1", "2", strings.Repeat("x", 2000)) },
			codes.ResourceExhausted, event.ReasonTooLarge, `node "a": its response is too large: `, 2,
		},
		"one has 4 GiB": {
			func(out *frames) { _, _ = out.Write([]byte{0, 255, 255, 255, 255}) },
			codes.ResourceExhausted, event.ReasonTooLarge, `node "a": its response is too large: `, 0,
		},
		"the end is too large": {
			func(out *frames) { _, _ = out.Write([]byte{2, 0, 1, 0, 1}) },
			codes.ResourceExhausted, event.ReasonTooLarge, `node "a": its response is too large: `, 0,
		},
		"too many": {
			func(out *frames) { out.send("1", "2", "3", "4", "5") },
			codes.ResourceExhausted, event.ReasonStreamLimit, `node "a": the stream has more messages than it may have: 3`, 3,
		},
		"an end as of an earlier node": {
			func(out *frames) { out.send("1"); out.end(event.End{Next: true}) },
			codes.Unavailable, event.ReasonUnavailable, `node "a" responded with a malformed event: `, 1,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			var ran atomic.Int32
			cancelled := make(chan struct{})
			f.streamed(o, f.responds("a", func(ctx context.Context, out *frames) {
				ran.Add(1)
				c.write(out)
				<-ctx.Done()
				close(cancelled)
			}))
			texts, err := f.open(t.Context(), "x").all()
			text, info := failed(t, err, c.code)
			require.Contains(t, text, c.text)
			require.Equal(t, c.reason, info.GetReason())
			require.Len(t, texts, c.texts)
			<-cancelled
			require.EqualValues(t, 1, ran.Load())
			f.awaitNothing(t)
		})
	}
}

// Bytes that come slowly are not messages.
func TestAMessageThatComesSlowlyIsNoMessage(t *testing.T) {
	f, o := newFixture(t), quick()
	o.StreamIdle = 50 * time.Millisecond
	cancelled := make(chan struct{})
	f.streamed(o, f.responds("a", func(ctx context.Context, out *frames) {
		out.send("1")
		_, _ = out.Write([]byte{0, 0, 0, 255, 255})
		for ctx.Err() == nil {
			_, _ = out.Write([]byte{'x'})
		}
		close(cancelled)
	}))
	texts, err := f.open(t.Context(), "x").all()
	require.Equal(t, []string{"1"}, texts)
	text, info := failed(t, err, codes.DeadlineExceeded)
	require.Equal(t, `node "a" has sent no message for 50ms`, text)
	require.Equal(t, event.ReasonDeadline, info.GetReason())
	<-cancelled
	f.awaitNothing(t)
}

func TestMessagesOfAnotherTypeAreWrongOutput(t *testing.T) {
	f := newFixture(t)
	wrong := func(w http.ResponseWriter, r *http.Request) {
		in, _ := event.ReadHeader(r.Header)
		in.Next(event.Source("test", "v1", "a"), event.TypeMessage, "krt.Dict", nil).WriteStream(w.Header())
		out := &frames{flushed{w}, f}
		out.send("1")
		<-r.Context().Done()
	}
	f.streamed(quick(), entrypoint.Step{Node: "a", URL: serveHTTP(t, wrong)})
	texts, err := f.open(t.Context(), "x").all()
	require.Empty(t, texts)
	text, info := failed(t, err, codes.Internal)
	require.Equal(t, "error in 'a': expected test.Reply as the messages of the stream, got krt.Dict", text)
	require.Equal(t, event.ReasonWrongOutput, info.GetReason())
}

// What the last step was given is not needed any more once it has sent a message.
func TestARequestIsFreedWhileItStreams(t *testing.T) {
	f := newFixture(t)
	sent, gate := make(chan struct{}), make(chan struct{})
	f.streamed(quick(), f.responds("a", func(_ context.Context, out *frames) {
		out.send("1")
		close(sent)
		<-gate
		out.end(event.End{})
	}))
	call := f.open(t.Context(), strings.Repeat("x", 3<<20))
	<-sent
	_, err := call.next()
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		_, rest, _ := strings.Cut(f.metrics(), "\nkrt_held_bytes ")
		held, _, _ := strings.Cut(rest, "\n")
		return len(held) < 6 // the request itself is counted as 16 KiB
	}, time.Minute, time.Millisecond)
	close(gate)
	_, err = call.all()
	require.NoError(t, err)
}

// The connection of a stream that has ended well carries the next one.
func TestAStreamsConnectionIsUsedAgain(t *testing.T) {
	f := newFixture(t)
	var remotes []string
	says := func(w http.ResponseWriter, r *http.Request) {
		remotes = append(remotes, r.RemoteAddr)
		in, _ := event.ReadHeader(r.Header)
		in.Next(event.Source("test", "v1", "a"), event.TypeMessage, "test.Reply", nil).WriteStream(w.Header())
		out := &frames{w, f}
		out.send("1")
		out.end(event.End{})
	}
	f.streamed(quick(), entrypoint.Step{Node: "a", URL: serveHTTP(t, says)})
	for range 3 {
		_, err := f.open(t.Context(), "x").all()
		require.NoError(t, err)
	}
	require.Len(t, remotes, 3)
	require.Equal(t, remotes[0], remotes[1])
	require.Equal(t, remotes[0], remotes[2])
}

// A node that replies early ends the client's stream in its response, and goes on behind it.
func TestAResponseRepliesEarly(t *testing.T) {
	ends := func(e event.End) func(*frames) {
		return func(out *frames) {
			outcome := event.OutcomeOK
			if e.Failure != nil {
				outcome = event.OutcomeError
			}
			e.Steps = event.Steps("").Append(ran("a", outcome))
			out.end(e)
		}
	}
	const broken = `node "a" broke off its response after its early reply: `
	for name, c := range map[string]struct {
		rest func(*frames)
		text string
	}{
		"and ends well":          {ends(event.End{}), ""},
		"and ends with an error": {ends(event.End{Failure: event.Failure{Code: code.Code_INTERNAL, Text: "later"}.Status()}), "later"},
		"and breaks off":         {func(*frames) {}, broken + "unexpected EOF"},
		"and sends":              {func(out *frames) { out.send("2") }, broken + "a message follows the end of the stream"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			gate, ended := make(chan struct{}), make(chan bool, 1)
			o, seen := observed()
			f.streamed(o, f.responds("a", func(ctx context.Context, out *frames) {
				out.send("1", "early")
				out.end(event.End{Replied: true, Steps: event.Steps("").Append(ran("a", event.OutcomeReply))})
				<-gate
				ended <- ctx.Err() == nil
				c.rest(out)
			}))
			texts, err := f.open(t.Context(), "x").all()
			require.NoError(t, err)
			require.Equal(t, []string{"1", "early"}, texts)
			close(gate)
			require.True(t, <-ended, "the node goes on")
			f.awaitNothing(t)
			f.awaitIdle()
			records := seen.take(t, 2)
			require.Equal(t, []any{record.EarlyReply, "a reply", 2}, []any{records[0].Early, stepsOf(records[0]), records[0].Messages})
			require.True(t, records[1].Background)
			require.Equal(t, c.text, records[1].Error)
		})
	}
}
