package stream_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/mem"

	"krt.dev/kn-krt/pkg/entrypoint/memory"
	"krt.dev/kn-krt/pkg/entrypoint/stream"
	"krt.dev/kn-krt/pkg/runner/event"
)

// room is a budget with its pool.
type room struct {
	*memory.Budget
	pool *memory.Pool
}

func newRoom(t *testing.T, bytes int64) room {
	b := memory.New(bytes, new(atomic.Int64), 16)
	t.Cleanup(func() { require.Zero(t, b.Used(), "something is held afterwards") })
	return room{b, memory.NewPool(b)}
}

func (r room) buffer(t *testing.T, text string) mem.Buffer {
	data, err := r.pool.CopyResponse([]byte(text))
	require.NoError(t, err)
	return data
}

func (r room) source() stream.Source { return stream.Source{Pool: r.pool, Limit: 1 << 20} }

// frames is a body of messages and, unless end is nil, its end.
func frames(end *event.End, messages ...string) io.Reader {
	var b []byte
	for _, m := range messages {
		b = event.AppendFrame(b, []byte(m))
	}
	if end != nil {
		b = event.AppendEnd(b, *end)
	}
	return bytes.NewReader(b)
}

// client is the client of a stream, who has what its port was given.
type client struct {
	*stream.Stream

	texts  []string
	keeps  bool     // what it was given is unread, until read is called
	unread []func() // the oldest first
}

func newClient(l stream.Limits) *client {
	c := &client{}
	c.Stream = stream.New("p.M", l, stream.Sink{Send: func(data mem.Buffer, freed func(int64)) error {
		c.texts = append(c.texts, string(data.ReadOnlyData()))
		c.unread = append(c.unread, func() {
			size := int64(cap(data.ReadOnlyData()))
			data.Free()
			freed(size)
		})
		if !c.keeps {
			c.read(1)
		}
		return nil
	}})
	return c
}

// read reads the n oldest messages.
func (c *client) read(n int) {
	oldest := c.unread[:n]
	c.unread = c.unread[n:] // before more is given
	for _, read := range oldest {
		read()
	}
}

// leave reads all, and gives the stream up.
func (c *client) leave() {
	c.Abandon()
	c.read(len(c.unread))
}

// whole requires that the stream ends, and has had just these messages.
func (c *client) whole(t *testing.T, want ...string) {
	t.Helper()
	require.NoError(t, c.Wait(t.Context(), t.Context()))
	require.Equal(t, want, c.texts)
}

func claim(t *testing.T, s *client, key string) *stream.Part {
	p, err := s.Claim(key)
	require.NoError(t, err)
	return p
}

func TestMessagesComeInOrderAndThenTheEnd(t *testing.T) {
	r, s := newRoom(t, 1<<20), newClient(stream.Limits{})
	for _, part := range []string{"a", "b"} {
		p := claim(t, s, part)
		end, err := p.Relay(t.Context(), frames(&event.End{Next: true}, part+"1", part+"2"), r.source())
		require.NoError(t, err)
		require.Equal(t, event.End{Next: true}, end)
		p.Close()
	}
	require.True(t, s.End(r.buffer(t, "last")))
	require.False(t, s.End(r.buffer(t, "another")), "the first end wins")
	s.whole(t, "a1", "a2", "b1", "b2", "last")
	_, err := s.Claim("c")
	require.Equal(t, stream.ErrOver, err)
	counts := s.Counts()
	require.Equal(t, 5, counts.Messages)
	require.EqualValues(t, 12, counts.Bytes)
	require.False(t, counts.First.IsZero())
}

func TestASecondDeliveryFindsItTaken(t *testing.T) {
	r, s := newRoom(t, 1<<20), newClient(stream.Limits{})
	key := stream.Key("n", "1")
	p := claim(t, s, key)
	_, err := s.Claim(key)
	require.Equal(t, stream.ErrTaken, err, "it is open")
	p.Close()
	require.False(t, s.Claimed(key))
	p = claim(t, s, key) // it has sent nothing
	require.NoError(t, p.Send(t.Context(), r.buffer(t, "1")))
	require.True(t, s.Claimed(key))
	p.Close()
	p.Close()
	_, err = s.Claim(key)
	require.Equal(t, stream.ErrTaken, err)
	require.NoError(t, claim(t, s, stream.Key("n", "2")).Send(t.Context(), r.buffer(t, "2")))
	s.Abandon()
	_, err = s.Claim(key)
	require.Equal(t, stream.ErrOver, err)
}

func TestACutIsNoEnd(t *testing.T) {
	r := newRoom(t, 1<<20)
	whole, err := io.ReadAll(frames(&event.End{}, "one", "two"))
	require.NoError(t, err)
	for n := range len(whole) {
		s := newClient(stream.Limits{})
		_, err := claim(t, s, "k").Relay(t.Context(), bytes.NewReader(whole[:n]), r.source())
		var cut *stream.Cut
		require.ErrorAs(t, err, &cut, "%d bytes", n)
		require.ErrorIs(t, err, io.ErrUnexpectedEOF)
		require.Equal(t, min(n/8, 2), cut.Messages)
		require.EqualError(t, err, fmt.Sprintf("broke off the stream after %d messages: unexpected EOF", cut.Messages))
		s.Abandon()
	}
	for name, body := range map[string]string{
		"a text of a proxy": "request timeout", "compressed": "\x01\x00\x00\x00\x01x", "no JSON": "\x02\x00\x00\x00\x01x",
	} {
		s := newClient(stream.Limits{})
		_, err := claim(t, s, "k").Relay(t.Context(), bytes.NewReader([]byte(body)), r.source())
		require.ErrorAs(t, err, new(*stream.Cut), name)
		require.ErrorIs(t, err, event.ErrFrame, name)
	}
}

func TestAnEndMayBeAFailure(t *testing.T) {
	r, s := newRoom(t, 1<<20), newClient(stream.Limits{})
	end, err := claim(t, s, "k").Relay(t.Context(), frames(&event.End{Failure: &status.Status{Code: 13, Message: "no"}}, "1"), r.source())
	require.NoError(t, err)
	require.Equal(t, "no", end.Failure.GetMessage())
	s.End(nil)
	s.whole(t, "1")
}

func TestLimitsOfAStream(t *testing.T) {
	r := newRoom(t, 1<<20)
	s := newClient(stream.Limits{Messages: 2})
	_, err := claim(t, s, "k").Relay(t.Context(), frames(&event.End{}, "1", "2", "3"), r.source())
	require.ErrorIs(t, err, stream.ErrTooMany)
	s.End(r.buffer(t, "the end's own has room"))
	s.whole(t, "1", "2", "the end's own has room")

	s = newClient(stream.Limits{})
	_, err = claim(t, s, "k").Relay(t.Context(), frames(&event.End{}, "1", string(make([]byte, 1<<20+1))), r.source())
	require.ErrorIs(t, err, event.ErrTooLarge)
	s.End(nil)
	s.whole(t, "1")
}

// Whatever the size of messages, the client is given only so much that it has not read.
func TestWhatIsUnreadIsBounded(t *testing.T) {
	for size, most := range map[int]int{0: 64, 10: 64, 4 << 10: 64, 4<<10 + 1: 32, 100 << 10: 2, 1 << 20: 1} {
		synctest.Test(t, func(t *testing.T) {
			r, s := newRoom(t, 64<<20), newClient(stream.Limits{})
			s.keeps = true
			done := make(chan error)
			go func() {
				p := claim(t, s, "k")
				for range 200 {
					if err := p.Send(t.Context(), r.buffer(t, string(make([]byte, size)))); err != nil {
						done <- err
						return
					}
				}
				done <- nil
			}()
			synctest.Wait()
			require.Len(t, s.texts, most, "of %d bytes", size)
			s.read(1)
			synctest.Wait()
			require.Len(t, s.texts, most+1)
			s.leave()
			require.Equal(t, stream.ErrOver, <-done)
		})
	}
}

func TestTinyMessagesHoldLittle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, s := newRoom(t, 64<<20), newClient(stream.Limits{})
		s.keeps = true
		many := make([]string, 1000)
		ended := make(chan error)
		go func() {
			_, err := claim(t, s, "k").Relay(t.Context(), frames(&event.End{}, many...), r.source())
			ended <- err
		}()
		synctest.Wait()
		require.LessOrEqual(t, r.Used(), int64(256<<10))
		s.leave()
		require.Equal(t, stream.ErrOver, <-ended)
	})
}

func TestASendEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, s := newRoom(t, 64<<20), newClient(stream.Limits{})
		s.keeps = true
		ctx, cancel := context.WithCancelCause(t.Context())
		ended := make(chan error)
		go func() {
			_, err := claim(t, s, "k").Relay(ctx, frames(&event.End{}, make([]string, 100)...), r.source())
			ended <- err
		}()
		synctest.Wait()
		cause := errors.New("the deadline has passed")
		cancel(cause)
		require.Equal(t, cause, <-ended)
		s.leave()
	})
}

func TestIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, s := newRoom(t, 64<<20), newClient(stream.Limits{Idle: time.Minute})
		p, begin := claim(t, s, "k"), time.Now()
		go func() {
			time.Sleep(time.Hour) // before the first message nothing is idle
			for range 3 {
				_ = p.Send(t.Context(), r.buffer(t, "m"))
				time.Sleep(time.Minute - 1)
			}
		}()
		require.Equal(t, stream.ErrIdle, s.Wait(t.Context(), t.Context()))
		require.Equal(t, time.Hour+3*time.Minute-2, time.Since(begin))
		s.End(nil)
		s.whole(t, "m", "m", "m")
	})
}

// Between two nodes nobody is idle: the next one may wait for its pod, or for a worker.
func TestAWaitForTheNextNodeIsNotIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, s := newRoom(t, 64<<20), newClient(stream.Limits{Idle: time.Minute})
		begin := time.Now()
		go func() {
			for _, key := range []string{"a", "b"} {
				p := claim(t, s, key)
				_ = p.Send(t.Context(), r.buffer(t, key))
				if key == "a" {
					p.Close()
					time.Sleep(time.Hour)
				}
			}
		}()
		require.Equal(t, stream.ErrIdle, s.Wait(t.Context(), t.Context()))
		require.Equal(t, time.Hour+time.Minute, time.Since(begin))
		s.End(nil)
		s.whole(t, "a", "b")
	})
}

// A node that waits for the client is not idle.
func TestAWaitForTheClientIsNotIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, s := newRoom(t, 64<<20), newClient(stream.Limits{Idle: time.Minute})
		s.keeps = true
		go func() {
			_, _ = claim(t, s, "k").Relay(t.Context(), frames(&event.End{}, make([]string, 65)...), r.source())
		}()
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		require.Equal(t, context.DeadlineExceeded, s.Wait(ctx, t.Context()))
		s.read(64)
		synctest.Wait()
		require.Len(t, s.texts, 65)
		begin := time.Now()
		require.Equal(t, stream.ErrIdle, s.Wait(t.Context(), t.Context()))
		require.Equal(t, time.Minute, time.Since(begin))
		s.leave()
	})
}

func TestWaitEndsWithEitherContext(t *testing.T) {
	ended, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("gone")
	cancel(cause)
	r, s := newRoom(t, 1<<20), newClient(stream.Limits{})
	require.Equal(t, cause, s.Wait(ended, t.Context()))
	require.Equal(t, cause, s.Wait(t.Context(), ended))
	s.End(r.buffer(t, "what has come comes first"))
	require.NoError(t, s.Wait(ended, ended))
	require.Equal(t, []string{"what has come comes first"}, s.texts)
	require.NoError(t, s.Wait(ended, ended))
}

// Without a message, a response begins soon, and once.
func TestAResponseBeginsWithoutAMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var begun []time.Duration
		since := time.Now()
		s := stream.New("p.M", stream.Limits{Idle: time.Minute}, stream.Sink{Begin: func() { begun = append(begun, time.Since(since)) }})
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		require.Equal(t, context.DeadlineExceeded, s.Wait(ctx, t.Context()))
		require.Equal(t, []time.Duration{50 * time.Millisecond}, begun)
	})
}

// A budget that is full is waited for, but not for ever.
func TestAFullBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, s := newRoom(t, 1<<20), newClient(stream.Limits{})
		others := r.pool.Get(1<<20 - 2<<10)
		begin := time.Now()
		go func() {
			time.Sleep(time.Second)
			r.pool.Put(others)
		}()
		_, err := claim(t, s, "k").Relay(t.Context(), frames(&event.End{}, "one", string(make([]byte, 8<<10))), r.source())
		require.NoError(t, err)
		require.Less(t, time.Since(begin), 1200*time.Millisecond)
		s.Abandon()

		s, begin, others = newClient(stream.Limits{}), time.Now(), r.pool.Get(1<<20)
		_, err = claim(t, s, "k").Relay(t.Context(), frames(&event.End{}, "one"), r.source())
		require.ErrorIs(t, err, memory.ErrFull)
		require.Less(t, time.Since(begin), 5200*time.Millisecond)
		r.pool.Put(others)
	})
}
