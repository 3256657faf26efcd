package client

import (
	"cmp"
	"context"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"

	"krt.dev/kn-krt/pkg/queue"
)

// Sweep removes events that are done, and that the stream has nevertheless: a server that was killed may
// have written that a consumer has acknowledged an event, and not yet that the event is removed. Nobody would
// ever get it, and it would take room. Servers of a cluster do the same by themselves. It also removes marks, if
// there is nothing but marks.
func (c *Client) Sweep(ctx context.Context) error {
	bounded, cancel := c.call(ctx)
	stream, err := c.open(bounded)
	cancel()
	if err != nil {
		return fmt.Errorf("cannot read the stream %s: %w", c.settings.Stream, cmp.Or(missing(err), err))
	}
	all, err := c.infos(ctx, stream)
	if err != nil {
		return err
	}
	bounded, cancel = c.call(ctx)
	defer cancel()
	info, err := stream.Info(bounded) // after the consumers: it cannot be behind them
	if err != nil {
		return fmt.Errorf("cannot read the stream %s: %w", c.settings.Stream, cmp.Or(missing(err), err))
	}
	left := uint64(0)
	for i := range all {
		if err := c.sweep(ctx, stream, all[i], info.State); err != nil {
			return err
		}
		left += all[i].NumPending + uint64(all[i].NumAckPending)
	}
	if left > 0 || info.State.Msgs == 0 {
		return nil
	}
	return c.sweepMarks(ctx, stream)
}

// sweepMarks removes marks if there is no event, so that they are of nothing: two replicas had the same event, and one
// of them has ended the work before the other one made its mark. What the stream has does not change while that is found
// out, or the marks stay until the next time.
func (c *Client) sweepMarks(ctx context.Context, stream jetstream.Stream) error {
	ctx, cancel := c.call(ctx)
	defer cancel()
	all := queue.Mark(c.options.Namespace, c.options.Version, "*", "*")
	begin, err := stream.Info(ctx, jetstream.WithSubjectFilter(all))
	if err != nil {
		return fmt.Errorf("cannot count marks: %w", cmp.Or(missing(err), err))
	}
	marks := uint64(0)
	for _, n := range begin.State.Subjects {
		marks += n
	}
	if marks == 0 || marks != begin.State.Msgs {
		return nil
	}
	end, err := stream.Info(ctx)
	if err != nil {
		return fmt.Errorf("cannot read the stream %s: %w", c.settings.Stream, cmp.Or(missing(err), err))
	}
	if end.State.LastSeq != begin.State.LastSeq || end.State.Msgs != begin.State.Msgs {
		return nil
	}
	if err := stream.Purge(ctx, jetstream.WithPurgeSubject(all), jetstream.WithPurgeSequence(begin.State.LastSeq+1)); err != nil {
		return fmt.Errorf("cannot remove marks: %w", cmp.Or(missing(err), err))
	}
	return nil
}

// sweep removes what a consumer says is done. One that is ahead of its stream, whose last events have gone with
// a machine's power, says nothing about those that have their numbers now.
func (c *Client) sweep(ctx context.Context, stream jetstream.Stream, of *jetstream.ConsumerInfo, state jetstream.StreamState) error {
	done := of.AckFloor.Stream
	if state.Msgs == 0 || done < state.FirstSeq || of.Delivered.Stream > state.LastSeq {
		return nil
	}
	ctx, cancel := c.call(ctx)
	defer cancel()
	step, _ := queue.ParseConsumer(of.Name)
	subject := queue.Subject(c.options.Namespace, c.options.Version, step)
	if err := stream.Purge(ctx, jetstream.WithPurgeSubject(subject), jetstream.WithPurgeSequence(done+1)); err != nil {
		return fmt.Errorf("cannot remove events that are done: %w", cmp.Or(missing(err), err))
	}
	return nil
}
