package client

import (
	"context"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// open returns the version's stream as it is now, and notes when it was made.
func (c *Client) open(ctx context.Context) (jetstream.Stream, error) {
	changed := c.Changed()
	s, err := c.js.Stream(ctx, c.settings.Stream)
	if err == nil {
		c.note(s.CachedInfo().Created, changed)
	}
	return s, err
}

// note notes when the stream was made, unless the connection has changed since the channel was got.
func (c *Client) note(made time.Time, changed <-chan struct{}) {
	c.change.Lock()
	defer c.change.Unlock()
	if c.changed == changed {
		c.made = made
	}
}

// known is when the stream was made, as it was read last over this connection; zero: it was not.
func (c *Client) known() time.Time {
	c.change.Lock()
	defer c.change.Unlock()
	return c.made
}

// since is known, and reads it if it has to.
func (c *Client) since(ctx context.Context) (time.Time, error) {
	if made := c.known(); !made.IsZero() {
		return made, nil
	}
	ctx, cancel := c.call(ctx)
	defer cancel()
	s, err := c.open(ctx)
	if err != nil {
		return time.Time{}, ended(ctx, err)
	}
	return s.CachedInfo().Created, nil
}

// gone reports whether the event's stream is known to have been made again since. It counts from 1 again: what is said of
// the event would be of another one that has its number, and that would be lost.
func (r *Received) gone() bool {
	made := r.of.known()
	return !made.IsZero() && !made.Equal(r.made)
}
