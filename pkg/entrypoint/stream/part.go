package stream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"google.golang.org/grpc/mem"

	"krt.dev/kn-krt/pkg/entrypoint/memory"
	"krt.dev/kn-krt/pkg/runner/event"
)

// Part is what one node sends for one event. Its methods but Close may not be called at the
// same time.
type Part struct {
	stream *Stream
	key    string
	count  int
}

// Key is who sends a part: a node, and the id of the event that it has, which is the same when
// the event is delivered again.
func Key(node, id string) string { return node + " " + id }

// Claim opens the part with the given key. The error is [ErrTaken] or [ErrOver].
func (s *Stream) Claim(key string) (*Part, error) {
	p, err := s.claim(key)
	return p, s.settled(err)
}

func (s *Stream) claim(key string) (*Part, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, sent := s.sent[key]
	switch {
	case s.stopped():
		return nil, ErrOver
	case sent || s.open != nil || len(s.sent) >= mostParts:
		return nil, ErrTaken
	}
	s.open, s.moved = &Part{stream: s, key: key}, time.Now() // from now on the node may be idle
	return s.open, nil
}

// Claimed reports whether the part with the given key has sent a message: what sent it must not
// run again.
func (s *Stream) Claimed(key string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, sent := s.sent[key]
	return sent
}

// Close closes the part, so that another may be opened. If it has sent nothing, that may have
// the same key.
func (p *Part) Close() {
	p.stream.mu.Lock()
	defer p.stream.mu.Unlock()
	if p.stream.open == p {
		p.stream.open = nil
	}
}

// Send sends data to the client, and takes it over. It waits while the client has too much to
// read. The error is [ErrOver], [ErrTooMany] or why ctx has ended.
func (p *Part) Send(ctx context.Context, data mem.Buffer) error {
	if err := p.stream.acquire(ctx, int64(cap(data.ReadOnlyData()))); err != nil {
		data.Free()
		return err
	}
	return p.give(data)
}

// give gives the client a message, for which there is room.
func (p *Part) give(data mem.Buffer) error { return p.stream.settled(p.pass(data)) }

// pass is give that does not wait to know why the client has gone. The turn ends even if the port panics.
func (p *Part) pass(data mem.Buffer) error {
	s := p.stream
	s.turn.Lock()
	defer s.turn.Unlock()
	s.mu.Lock()
	if err := s.refusal(); err != nil {
		s.mu.Unlock()
		data.Free()
		return err
	}
	if p.count++; p.count == 1 {
		if s.sent == nil {
			s.sent = map[string]struct{}{}
		}
		s.sent[p.key] = struct{}{}
	}
	s.came++
	if s.give(data) != nil {
		return ErrOver
	}
	return nil
}

// settled returns err. If it is [ErrOver], it waits until it is known why: the end of the stream has
// come, or the client's goroutine has found out how the client left.
func (s *Stream) settled(err error) error {
	if errors.Is(err, ErrOver) {
		s.mu.Lock()
		ended := s.ended
		s.mu.Unlock()
		if !ended {
			<-s.left
		}
	}
	return err
}

// acquire waits until there is room for a message of n bytes, and takes it. Only the open part does.
func (s *Stream) acquire(ctx context.Context, n int64) error {
	for {
		full, err := s.take(n)
		if !full {
			return s.settled(err)
		}
		select {
		case <-s.room:
		case <-s.over:
		case <-ctx.Done():
			s.mu.Lock()
			s.waiting = false
			s.mu.Unlock()
			return context.Cause(ctx)
		}
	}
}

// take takes room for a message of n bytes. It reports whether there is none yet; the error is why none is
// accepted.
func (s *Stream) take(n int64) (full bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err = s.refusal(); err == nil {
		full = s.held > 0 && (s.held >= mostMessages || s.bytes+n > mostBytes)
	}
	if s.waiting && !full {
		s.moved = time.Now()
	}
	if s.waiting = full; err == nil && !full {
		s.held++
		s.bytes += n
	}
	return full, err
}

// refusal is why no message is accepted; the lock is held.
func (s *Stream) refusal() error {
	switch {
	case s.stopped():
		return ErrOver
	case s.limits.Messages > 0 && s.came >= s.limits.Messages:
		return fmt.Errorf("%w: %d", ErrTooMany, s.limits.Messages)
	}
	return nil
}

// Source is how the messages of a part are read.
type Source struct {
	// Pool has the buffers, which are counted in its budget.
	Pool *memory.Pool
	// Limit bounds a message, in bytes.
	Limit int64
	// First is called once the part's first message has been sent. It may be nil.
	First func()
}

// Relay sends the messages of body, which has frames, until its end frame, which it returns. The
// error is that of Send, [memory.ErrFull] if there has been no room for a while, event.ErrTooLarge,
// why ctx has ended, or a *[Cut]. No more of body is read than what there is room for.
func (p *Part) Relay(ctx context.Context, body io.Reader, from Source) (event.End, error) {
	for {
		end, length, err := event.ReadFrame(body, from.Limit)
		switch {
		case err != nil:
			return event.End{}, p.broken(ctx, err)
		case end:
			last, err := event.ReadEnd(body, length)
			if err != nil {
				return event.End{}, p.broken(ctx, err)
			}
			return last, nil
		}
		if err := p.stream.acquire(ctx, memory.BufferBytes(length)); err != nil {
			return event.End{}, err
		}
		data, err := from.read(ctx, body, int64(length))
		if err != nil {
			p.stream.release(memory.BufferBytes(length))
			return event.End{}, p.broken(ctx, err)
		}
		if err := p.give(data); err != nil {
			return event.End{}, err
		}
		if p.count == 1 && from.First != nil {
			from.First()
		}
	}
}

// broken is the error of a part that cannot be read on because of err.
func (p *Part) broken(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, event.ErrTooLarge), errors.Is(err, memory.ErrFull):
		return err
	case errors.Is(err, io.EOF):
		err = io.ErrUnexpectedEOF
	}
	return &Cut{Messages: p.count, Cause: err}
}

// A message for which the budget has no room is waited for: what has been sent of a stream is
// worth more than a request that has not begun.
const (
	firstPause = 5 * time.Millisecond
	mostPause  = 100 * time.Millisecond
	patience   = 5 * time.Second
)

// read reads a message of the given length into a buffer.
func (f Source) read(ctx context.Context, body io.Reader, length int64) (mem.Buffer, error) {
	return Patiently(ctx, func() (mem.Buffer, error) { return f.Pool.Read(body, length, f.Limit) })
}

// Patiently calls read until it does not return [memory.ErrFull], with which it has read nothing. That is
// the error after a while, or why ctx has ended.
func Patiently(ctx context.Context, read func() (mem.Buffer, error)) (mem.Buffer, error) {
	var since time.Time
	for pause := firstPause; ; pause = min(2*pause, mostPause) {
		data, err := read()
		if !errors.Is(err, memory.ErrFull) {
			return data, err
		}
		if since.IsZero() {
			since = time.Now()
		} else if time.Since(since) > patience {
			return nil, err
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}
