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

// next returns the text of the next message.
func next(t *testing.T, s *stream.Stream) (string, error) {
	data, err := s.Next(t.Context(), t.Context())
	if err != nil {
		return "", err
	}
	defer data.Free()
	return string(data.ReadOnlyData()), nil
}

// rest requires that s has just these messages left, and then ends.
func rest(t *testing.T, s *stream.Stream, want ...string) {
	t.Helper()
	for _, w := range want {
		got, err := next(t, s)
		require.NoError(t, err)
		require.Equal(t, w, got)
	}
	_, err := next(t, s)
	require.Equal(t, io.EOF, err)
}

func claim(t *testing.T, s *stream.Stream, key string) *stream.Part {
	p, err := s.Claim(key)
	require.NoError(t, err)
	return p
}

func TestMessagesComeInOrderAndThenTheEnd(t *testing.T) {
	r, s := newRoom(t, 1<<20), stream.New("p.M", stream.Limits{})
	for _, part := range []string{"a", "b"} {
		p := claim(t, s, part)
		end, err := p.Relay(t.Context(), frames(&event.End{Next: true}, part+"1", part+"2"), r.source())
		require.NoError(t, err)
		require.Equal(t, event.End{Next: true}, end)
		p.Close()
	}
	require.True(t, s.End(r.buffer(t, "last")))
	require.False(t, s.End(r.buffer(t, "another")), "the first end wins")
	rest(t, s, "a1", "a2", "b1", "b2", "last")
	_, err := s.Claim("c")
	require.Equal(t, stream.ErrOver, err)
	counts := s.Counts()
	require.Equal(t, 5, counts.Messages)
	require.EqualValues(t, 12, counts.Bytes)
	require.False(t, counts.First.IsZero())
}

func TestASecondDeliveryFindsItTaken(t *testing.T) {
	r, s := newRoom(t, 1<<20), stream.New("p.M", stream.Limits{})
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
		s := stream.New("p.M", stream.Limits{})
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
		s := stream.New("p.M", stream.Limits{})
		_, err := claim(t, s, "k").Relay(t.Context(), bytes.NewReader([]byte(body)), r.source())
		require.ErrorAs(t, err, new(*stream.Cut), name)
		require.ErrorIs(t, err, event.ErrFrame, name)
	}
}

func TestAnEndMayBeAFailure(t *testing.T) {
	r, s := newRoom(t, 1<<20), stream.New("p.M", stream.Limits{})
	end, err := claim(t, s, "k").Relay(t.Context(), frames(&event.End{Failure: &status.Status{Code: 13, Message: "no"}}, "1"), r.source())
	require.NoError(t, err)
	require.Equal(t, "no", end.Failure.GetMessage())
	s.End(nil)
	rest(t, s, "1")
}

func TestLimitsOfAStream(t *testing.T) {
	r := newRoom(t, 1<<20)
	s := stream.New("p.M", stream.Limits{Messages: 2})
	_, err := claim(t, s, "k").Relay(t.Context(), frames(&event.End{}, "1", "2", "3"), r.source())
	require.ErrorIs(t, err, stream.ErrTooMany)
	s.End(r.buffer(t, "the end's own has room"))
	rest(t, s, "1", "2", "the end's own has room")

	s = stream.New("p.M", stream.Limits{})
	_, err = claim(t, s, "k").Relay(t.Context(), frames(&event.End{}, "1", string(make([]byte, 1<<20+1))), r.source())
	require.ErrorIs(t, err, event.ErrTooLarge)
	s.End(nil)
	rest(t, s, "1")
}

// Whatever the size of messages, only so much is held: counted until the client has it.
func TestQueueIsBounded(t *testing.T) {
	for size, most := range map[int]int{0: 64, 10: 64, 4 << 10: 64, 4<<10 + 1: 32, 100 << 10: 2, 1 << 20: 1} {
		synctest.Test(t, func(t *testing.T) {
			r, s := newRoom(t, 64<<20), stream.New("p.M", stream.Limits{})
			sent, done := 0, make(chan error)
			go func() {
				p := claim(t, s, "k")
				for range 200 {
					if err := p.Send(t.Context(), r.buffer(t, string(make([]byte, size)))); err != nil {
						done <- err
						return
					}
					sent++
				}
				done <- nil
			}()
			synctest.Wait()
			require.Equal(t, most, sent, "of %d bytes", size)
			first, err := s.Next(t.Context(), t.Context())
			require.NoError(t, err)
			synctest.Wait()
			require.Equal(t, most, sent, "one that is being sent is held")
			first.Free()
			synctest.Wait()
			require.Equal(t, most+1, sent)
			s.Abandon()
			require.Equal(t, stream.ErrOver, <-done)
		})
	}
}

func TestTinyMessagesHoldLittle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, s := newRoom(t, 64<<20), stream.New("p.M", stream.Limits{})
		many := make([]string, 1000)
		ended := make(chan error)
		go func() {
			_, err := claim(t, s, "k").Relay(t.Context(), frames(&event.End{}, many...), r.source())
			ended <- err
		}()
		synctest.Wait()
		require.LessOrEqual(t, r.Used(), int64(256<<10))
		s.Abandon()
		require.Equal(t, stream.ErrOver, <-ended)
	})
}

func TestASendEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, s := newRoom(t, 64<<20), stream.New("p.M", stream.Limits{})
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
		s.Abandon()
	})
}

func TestIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, s := newRoom(t, 64<<20), stream.New("p.M", stream.Limits{Idle: time.Minute})
		p := claim(t, s, "k")
		go func() {
			time.Sleep(time.Hour) // before the first message nothing is idle
			for range 3 {
				_ = p.Send(t.Context(), r.buffer(t, "m"))
				time.Sleep(time.Minute - 1)
			}
		}()
		for range 3 {
			_, err := next(t, s)
			require.NoError(t, err)
		}
		begin := time.Now()
		_, err := next(t, s)
		require.Equal(t, stream.ErrIdle, err)
		require.Equal(t, time.Minute, time.Since(begin))
		s.End(nil)
		rest(t, s)
	})
}

// Between two nodes nobody is idle: the next one may wait for its pod, or for a worker.
func TestAWaitForTheNextNodeIsNotIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, s := newRoom(t, 64<<20), stream.New("p.M", stream.Limits{Idle: time.Minute})
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
		for range 2 {
			_, err := next(t, s)
			require.NoError(t, err)
		}
		begin := time.Now()
		_, err := next(t, s)
		require.Equal(t, stream.ErrIdle, err)
		require.Equal(t, time.Minute, time.Since(begin))
		s.End(nil)
		rest(t, s)
	})
}

// A node that waits for the client is not idle.
func TestAWaitForTheClientIsNotIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, s := newRoom(t, 64<<20), stream.New("p.M", stream.Limits{Idle: time.Minute})
		go func() {
			_, _ = claim(t, s, "k").Relay(t.Context(), frames(&event.End{}, make([]string, 65)...), r.source())
		}()
		var unread []mem.Buffer
		for range 64 {
			data, err := s.Next(t.Context(), t.Context())
			require.NoError(t, err)
			unread = append(unread, data)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		_, err := s.Next(ctx, t.Context())
		require.Equal(t, context.DeadlineExceeded, err)
		for _, data := range unread {
			data.Free()
		}
		_, err = next(t, s)
		require.NoError(t, err)
	})
}

func TestNextEndsWithEitherContext(t *testing.T) {
	ended, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("gone")
	cancel(cause)
	r, s := newRoom(t, 1<<20), stream.New("p.M", stream.Limits{})
	_, err := s.Next(ended, t.Context())
	require.Equal(t, cause, err)
	_, err = s.Next(t.Context(), ended)
	require.Equal(t, cause, err)
	s.End(r.buffer(t, "what has come comes first"))
	data, err := s.Next(ended, ended)
	require.NoError(t, err)
	data.Free()
	_, err = s.Next(ended, ended)
	require.Equal(t, io.EOF, err)
}

// A budget that is full is waited for, but not for ever.
func TestAFullBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, s := newRoom(t, 1<<20), stream.New("p.M", stream.Limits{})
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

		s, begin, others = stream.New("p.M", stream.Limits{}), time.Now(), r.pool.Get(1<<20)
		_, err = claim(t, s, "k").Relay(t.Context(), frames(&event.End{}, "one"), r.source())
		require.ErrorIs(t, err, memory.ErrFull)
		require.Less(t, time.Since(begin), 5200*time.Millisecond)
		r.pool.Put(others)
	})
}
