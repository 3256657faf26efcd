package stream_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/mem"

	"krt.dev/kn-krt/pkg/entrypoint/stream"
	"krt.dev/kn-krt/pkg/runner/event"
)

// gated is a sink whose client reads each message when it is told to.
type gated struct {
	*stream.Stream

	given chan string
	goOn  chan error // what sending the message returns
}

func newGated() *gated {
	g := &gated{given: make(chan string), goOn: make(chan error)}
	g.Stream = stream.New("p.M", stream.Limits{}, stream.Sink{
		Send: func(data mem.Buffer, freed func(int64)) error {
			text, size := string(data.ReadOnlyData()), int64(cap(data.ReadOnlyData()))
			data.Free()
			defer freed(size)
			g.given <- text
			return <-g.goOn
		},
		Abort: func() { g.goOn <- errAborted },
	})
	return g
}

var errAborted = errors.New("aborted")

// send sends a message in a goroutine of its own.
func (g *gated) send(t *testing.T, r room, text string) (sent chan error) {
	p, err := g.Claim(text)
	require.NoError(t, err)
	sent = make(chan error, 1)
	go func() { sent <- p.Send(t.Context(), r.buffer(t, text)) }()
	return sent
}

// claim opens a part in a goroutine of its own.
func (g *gated) claim(key string) (claimed chan error) {
	claimed = make(chan error, 1)
	go func() {
		_, err := g.Claim(key)
		claimed <- err
	}()
	return claimed
}

// wait waits for the end in a goroutine of its own.
func (g *gated) wait(until context.Context, t *testing.T) (waited chan error) {
	waited = make(chan error, 1)
	go func() { waited <- g.Wait(until, t.Context()) }()
	return waited
}

// The end comes while a message is being sent: the client has that one first.
func TestAnEndFollowsTheMessageThatIsBeingSent(t *testing.T) {
	r, g := newRoom(t, 1<<20), newGated()
	waited, sent := g.wait(t.Context(), t), g.send(t, r, "one")
	require.Equal(t, "one", <-g.given)
	require.True(t, g.End(r.buffer(t, "last")))
	g.goOn <- nil
	require.NoError(t, <-sent)
	require.Equal(t, "last", <-g.given)
	g.goOn <- nil
	require.NoError(t, <-waited)
	require.Equal(t, 2, g.Counts().Messages)
}

// Whoever sends learns that the client has gone only when it is known why.
func TestWhatThePortRefusesEndsTheStream(t *testing.T) {
	refused := errors.New("the connection is closed")
	synctest.Test(t, func(t *testing.T) {
		r, g := newRoom(t, 1<<20), newGated()
		waited, sent := g.wait(t.Context(), t), g.send(t, r, "one")
		require.Equal(t, "one", <-g.given)
		g.goOn <- refused
		require.Equal(t, refused, <-waited)
		claimed := g.claim("another")
		synctest.Wait()
		require.Empty(t, sent)
		require.Empty(t, claimed)
		g.Abandon()
		require.Equal(t, stream.ErrOver, <-sent)
		require.Equal(t, stream.ErrOver, <-claimed)
	})
	r, g := newRoom(t, 1<<20), newGated()
	waited := g.wait(t.Context(), t)
	require.True(t, g.End(r.buffer(t, "last")))
	require.Equal(t, "last", <-g.given)
	g.goOn <- refused
	require.Equal(t, refused, <-waited)
	g.Abandon()
}

func TestAPortThatPanicsLeavesTheStreamToItsClient(t *testing.T) {
	r := newRoom(t, 1<<20)
	s := stream.New("p.M", stream.Limits{}, stream.Sink{
		Send: func(data mem.Buffer, _ func(int64)) error {
			data.Free()
			panic("at the port")
		},
	})
	p, err := s.Claim("a")
	require.NoError(t, err)
	require.PanicsWithValue(t, "at the port", func() { _ = p.Send(t.Context(), r.buffer(t, "one")) })
	s.Abandon() // returns
}

// The client's time bounds a message that waits for it, too, and nothing is sent afterwards.
func TestTheEndOfTheTimeAbortsASend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, g := newRoom(t, 1<<20), newGated()
		until, cancel := context.WithCancel(t.Context())
		stop := g.EndAt(until)
		waited, sent := g.wait(until, t), g.send(t, r, "one")
		require.Equal(t, "one", <-g.given)
		cancel()
		require.Equal(t, errAborted, <-waited)
		stop()
		synctest.Wait()
		require.Empty(t, sent, "it is not known yet how the client left")
		require.False(t, g.End(r.buffer(t, "last")))
		g.Abandon()
		require.Equal(t, stream.ErrOver, <-sent)
		require.Error(t, g.Wait(until, t.Context()))
	})
}

// A client's time ends while a node waits for room: the node's goroutine would say that the node cannot be reached.
func TestWhoWaitsForRoomIsToldWhenItIsKnownWhy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, s := newRoom(t, 64<<20), newClient(stream.Limits{})
		s.keeps = true
		until, cancel := context.WithCancel(t.Context())
		stop := s.EndAt(until)
		ended := make(chan error, 1)
		go func() {
			_, err := claim(t, s, "k").Relay(t.Context(), frames(&event.End{}, make([]string, 100)...), r.source())
			ended <- err
		}()
		synctest.Wait()
		cancel()
		stop()
		claimed := (&gated{Stream: s.Stream}).claim("another")
		synctest.Wait()
		require.Empty(t, ended)
		require.Empty(t, claimed)
		s.leave()
		require.Equal(t, stream.ErrOver, <-ended)
		require.Equal(t, stream.ErrOver, <-claimed)
	})
}

func TestNothingIsAbortedWhereNothingIsSent(t *testing.T) {
	r, g := newRoom(t, 1<<20), newGated()
	until, cancel := context.WithCancel(t.Context())
	stop := g.EndAt(until)
	cancel()
	stop()
	require.Equal(t, context.Canceled, g.Wait(until, t.Context()))
	require.False(t, g.End(r.buffer(t, "last")))
}
