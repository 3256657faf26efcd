package client

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"krt.dev/kn-krt/pkg/queue"
)

const (
	// ensureTime is how long a stream that was found is not looked for again.
	ensureTime = 500 * time.Millisecond
	// maxInWork bounds the events of a step that all replicas have, together.
	maxInWork = 10_000
	// reserved is what a stream has room for above the setting, as a share of it and at least:
	// events between steps need room until the ones before them are done.
	reservedShare, leastReserved = 8, 64 << 20
)

// stream is the configuration of the version's stream.
func (c *Client) stream() jetstream.StreamConfig {
	most, reserve := c.Room()
	return jetstream.StreamConfig{
		Name: c.settings.Stream, Subjects: []string{queue.Subjects(c.options.Namespace, c.options.Version)},
		Retention: jetstream.WorkQueuePolicy, Storage: jetstream.FileStorage, Discard: jetstream.DiscardNew,
		MaxBytes: most + reserve, Duplicates: queue.Window,
		Replicas: c.settings.Replicas, AllowMsgTTL: c.expires(), Description: "events of a version of kn-krt that wait for their nodes",
	}
}

// ensureConsumer makes the consumer of a step, or changes what of it is set otherwise. One that is as it should be is only
// read: servers of a cluster would agree on each change, and write it, also while the consumer is not led by any of them.
func (c *Client) ensureConsumer(ctx context.Context, s queue.Step) error {
	bounded, cancel := c.call(ctx)
	defer cancel()
	want := c.consumer(s)
	found, err := c.js.Consumer(bounded, c.settings.Stream, want.Durable)
	if err == nil {
		has := found.CachedInfo().Config
		if has.FilterSubject == want.FilterSubject && has.AckPolicy == want.AckPolicy && has.AckWait == want.AckWait &&
			has.MaxDeliver == want.MaxDeliver && has.MaxAckPending == want.MaxAckPending && has.MaxWaiting == want.MaxWaiting {
			return nil
		}
	}
	if err == nil || errors.Is(err, jetstream.ErrConsumerNotFound) {
		_, err = c.js.CreateOrUpdateConsumer(bounded, c.settings.Stream, want)
	}
	return led(ended(bounded, err))
}

// consumer is the configuration of a step's consumer. Nothing bounds how often an event is
// delivered: it would stay in the stream, and nobody would get it.
func (c *Client) consumer(s queue.Step) jetstream.ConsumerConfig {
	return jetstream.ConsumerConfig{
		Durable: s.Consumer(), FilterSubject: queue.Subject(c.options.Namespace, c.options.Version, s),
		AckPolicy: jetstream.AckExplicitPolicy, AckWait: queue.AckWait, MaxDeliver: -1,
		MaxAckPending: maxInWork, MaxWaiting: 512,
	}
}

// Ensure has the server make the stream and the consumers that do not exist, and change those
// that are set otherwise. Soon after it has found all, it does nothing. The error is [queue.ErrFull]
// if the server has no room for the stream.
func (c *Client) Ensure(ctx context.Context) error {
	c.ensure.Lock()
	defer c.ensure.Unlock()
	if time.Since(c.ensured) < ensureTime {
		return nil
	}
	if err := c.ensureStream(ctx); err != nil {
		return fmt.Errorf("cannot set the stream %s up: %w", c.settings.Stream, published(err))
	}
	for _, s := range c.options.Steps {
		if err := c.ensureConsumer(ctx, s); err != nil {
			return fmt.Errorf("cannot set the consumer %s up: %w", s.Consumer(), err)
		}
	}
	c.ensured = time.Now()
	return nil
}

// ensureStream makes the stream, or changes what of it is set otherwise. What another
// release has set besides stays.
func (c *Client) ensureStream(ctx context.Context) (err error) {
	bounded, cancel := c.call(ctx)
	defer func() {
		err = ended(bounded, err)
		cancel()
	}()
	want := c.stream()
	changed := c.Changed()
	found, err := c.open(bounded)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		if found, err = c.js.CreateStream(bounded, want); err == nil {
			c.note(found.CachedInfo().Created, changed)
			c.log.Info("made the stream of the version", "stream", want.Name, "maxBytes", want.MaxBytes, "replicas", want.Replicas)
		}
		return err
	}
	if err != nil {
		return err
	}
	has := found.CachedInfo().Config
	if slices.Equal(has.Subjects, want.Subjects) && has.MaxBytes == want.MaxBytes && has.Replicas == want.Replicas &&
		has.Discard == want.Discard && has.Duplicates == want.Duplicates && (has.AllowMsgTTL || !want.AllowMsgTTL) {
		return nil
	}
	c.log.Info("the stream of the version is set otherwise, and is changed", "stream", want.Name,
		"maxBytes", has.MaxBytes, "newMaxBytes", want.MaxBytes, "replicas", has.Replicas, "newReplicas", want.Replicas)
	has.Subjects, has.MaxBytes, has.Replicas = want.Subjects, want.MaxBytes, want.Replicas
	has.Discard, has.Duplicates, has.AllowMsgTTL = want.Discard, want.Duplicates, has.AllowMsgTTL || want.AllowMsgTTL
	_, err = c.js.UpdateStream(bounded, has)
	return err
}

// Forget has the next [Client.Ensure] look for the stream and its consumers.
func (c *Client) Forget() {
	c.ensure.Lock()
	defer c.ensure.Unlock()
	c.ensured = time.Time{}
}
