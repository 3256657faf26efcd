package client

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"

	"krt.dev/kn-krt/pkg/queue"
)

// maxConsumers bounds the consumers of a stream that are read.
const maxConsumers = 10_000

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
	for _, name := range names {
		bounded, cancel := c.call(ctx)
		found, err := stream.Consumer(bounded, name)
		err = ended(bounded, err)
		cancel()
		switch {
		case err == nil:
			all = append(all, found.CachedInfo())
		case !errors.Is(err, jetstream.ErrConsumerNotFound): // else it was deleted meanwhile
			return nil, fmt.Errorf("cannot read the consumer %s of the stream %s: %w", name, stream.CachedInfo().Config.Name, led(err))
		}
	}
	return all, nil
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
