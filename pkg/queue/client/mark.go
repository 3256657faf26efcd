package client

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"krt.dev/kn-krt/pkg/queue"
)

// codeNeverExpires is the server's error for a stream that has no messages with a time of their own: one that
// another release has made, and that could not be changed.
const codeNeverExpires jetstream.ErrorCode = 10166

// Mark has the server keep what is known of a workflow's request while the work for it goes on, under its
// correlation id, and returns once it is kept. It is for whoever gets an event of the request should this
// process die, and goes by itself after a time, where the server can do that (NATS 2.11).
func (c *Client) Mark(ctx context.Context, workflow, correlation string, header http.Header, keep time.Duration) error {
	ctx, cancel := c.call(ctx)
	defer cancel()
	publish := func(o ...jetstream.PublishOpt) error {
		of := nats.Header(header.Clone())
		of[headerExpectedFor] = []string{c.settings.Stream}
		m := &nats.Msg{Subject: c.mark(workflow, correlation), Header: of}
		_, err := c.js.PublishMsg(ctx, m, append(o, jetstream.WithRetryAttempts(0))...)
		return published(ended(ctx, err))
	}
	if c.expires() {
		err := publish(jetstream.WithMsgTTL(max(keep.Truncate(time.Second), time.Second)))
		var failure *jetstream.APIError
		if !errors.As(err, &failure) || failure.ErrorCode != codeNeverExpires {
			return err
		}
	}
	return publish()
}

// Marked returns what was kept last by [Client.Mark]; nil: nothing.
func (c *Client) Marked(ctx context.Context, workflow, correlation string) (http.Header, error) {
	ctx, cancel := c.call(ctx)
	defer cancel()
	stream, err := c.open(ctx)
	if err = ended(ctx, err); err != nil {
		return nil, cmp.Or(missing(err), err)
	}
	m, err := stream.GetLastMsgForSubject(ctx, c.mark(workflow, correlation))
	switch {
	case errors.Is(err, jetstream.ErrMsgNotFound):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("cannot read what is known of a request: %w", ended(ctx, err))
	}
	return httpHeader(m.Header), nil
}

// Unmark has the server forget what [Client.Mark] has had it keep.
func (c *Client) Unmark(ctx context.Context, workflow, correlation string) error {
	ctx, cancel := c.call(ctx)
	defer cancel()
	stream, err := c.open(ctx)
	if err = ended(ctx, err); err != nil {
		return cmp.Or(missing(err), err)
	}
	if err := ended(ctx, stream.Purge(ctx, jetstream.WithPurgeSubject(c.mark(workflow, correlation)))); err != nil {
		return fmt.Errorf("cannot remove what is known of a request: %w", err)
	}
	return nil
}

func (c *Client) mark(workflow, correlation string) string {
	return queue.Mark(c.options.Namespace, c.options.Version, workflow, correlation)
}

// expires reports whether the server can remove a message after a time of its own.
func (c *Client) expires() bool {
	major, rest, _ := strings.Cut(c.conn.ConnectedServerVersion(), ".")
	minor, _, _ := strings.Cut(rest, ".")
	a, errA := strconv.Atoi(major)
	b, errB := strconv.Atoi(minor)
	return errA == nil && errB == nil && (a > 2 || a == 2 && b >= 11)
}
