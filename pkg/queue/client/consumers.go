package client

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sync/errgroup"

	"krt.dev/kn-krt/pkg/queue"
)

const (
	// maxConsumers bounds the consumers of a stream that are read.
	maxConsumers = 10_000
	// maxAsked is how many of them are asked for at once: one after the other, a thousand take longer than those have who
	// want to know.
	maxAsked = 16
)

// codeUnavailable is the error of servers of a cluster while none of them leads what is asked for.
const codeUnavailable jetstream.ErrorCode = 10008

// errNoLeader says in our words what a cluster then says of itself.
var errNoLeader = errors.New("none of the servers that have it leads it now: enough of them must be up, with all that they had")

// infos returns the consumers of a stream that are of steps: all of them, or an error. Each is asked for by itself, because
// servers of a cluster leave out of a list those that do not respond, and say so where the client of NATS does not read it.
func (c *Client) infos(ctx context.Context, stream jetstream.Stream) (all []*jetstream.ConsumerInfo, err error) {
	names, err := c.names(ctx, stream)
	if err != nil {
		return nil, fmt.Errorf("cannot list the consumers of the stream %s: %w", stream.CachedInfo().Config.Name, cmp.Or(missing(err), err))
	}
	found := make([]*jetstream.ConsumerInfo, len(names))
	asked, ctx := errgroup.WithContext(ctx)
	asked.SetLimit(maxAsked)
	for i, name := range names {
		asked.Go(func() (err error) {
			found[i], err = c.info(ctx, stream, name)
			return err
		})
	}
	if err := asked.Wait(); err != nil {
		return nil, err
	}
	return slices.DeleteFunc(found, func(i *jetstream.ConsumerInfo) bool { return i == nil }), nil
}

// info returns one of the consumers; nil: it was deleted meanwhile.
func (c *Client) info(ctx context.Context, stream jetstream.Stream, name string) (*jetstream.ConsumerInfo, error) {
	bounded, cancel := c.call(ctx)
	defer cancel()
	found, err := stream.Consumer(bounded, name)
	switch err = ended(bounded, err); {
	case err == nil:
		return found.CachedInfo(), nil
	case errors.Is(err, jetstream.ErrConsumerNotFound):
		return nil, nil
	}
	return nil, fmt.Errorf("cannot read the consumer %s of the stream %s: %w", name, stream.CachedInfo().Config.Name, led(err))
}

// names returns those of the consumers of steps.
func (c *Client) names(ctx context.Context, stream jetstream.Stream) (names []string, err error) {
	ctx, cancel := c.call(ctx)
	defer cancel()
	list := stream.ConsumerNames(ctx)
	for name := range list.Name() {
		if _, of := queue.ParseConsumer(name); of && len(names) < maxConsumers {
			names = append(names, name)
		}
	}
	return names, ended(ctx, list.Err())
}

// led returns errNoLeader if err means that.
func led(err error) error {
	var failure *jetstream.APIError
	if errors.As(err, &failure) && failure.ErrorCode == codeUnavailable {
		return errNoLeader
	}
	return err
}
