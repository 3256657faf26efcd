package client

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"krt.dev/kn-krt/pkg/queue"
)

const (
	// fetchTime is how long a server may wait for events before it responds that there are none.
	fetchTime = 10 * time.Second
	// beatTime is how often it says meanwhile that it still knows of the request.
	beatTime = 2 * time.Second
	// replicatedBatch is how many events of a stream on several servers are fetched at once, at most.
	replicatedBatch = 4
)

// Received is an event as it was fetched. One of its methods that end it must be called, or
// it is delivered again after [queue.AckWait].
type Received struct {
	// Header has the attributes as over HTTP; Data is the message's bytes.
	Header http.Header
	Data   []byte
	// Sequence names the event in its stream; Delivered counts, from 1, how often it was given
	// to a replica; Published is when the server stored it.
	Sequence  uint64
	Delivered int
	Published time.Time
	// Bytes is about how many bytes of memory it takes.
	Bytes int64

	msg  jetstream.Msg
	of   *Client
	made time.Time // when its stream was made
}

// Fetch passes events of a step to each as they come: at most the given number, of about the given size in bytes
// together; one alone may be larger. Of a stream on several servers they are few: as many as have that size if each
// is as large as those that came last; the first comes alone. It returns when it has had them, when there were no
// more for some seconds, when the connection is made again, or when ctx is done. The error is [queue.ErrMissing] if
// the consumer or its stream is gone.
func (c *Client) Fetch(ctx context.Context, s queue.Step, events, bytes int, each func(*Received)) error {
	ctx, cancel := context.WithTimeout(ctx, fetchTime+callTime)
	defer cancel()
	changed, begin := c.Changed(), time.Now()
	made, err := c.since(ctx)
	if err != nil {
		return missing(err)
	}
	consumer, err := c.find(ctx, s)
	if err != nil {
		return missing(err)
	}
	next := each
	each = func(r *Received) { r.made = made; next(r) }
	bound := []jetstream.FetchOpt{jetstream.FetchMaxBytes(bytes)}
	if c.settings.Replicas > 1 {
		// Such servers send an event only once they agree that they do. That a batch with a bound is complete they say
		// before: the client would listen no more, and get none of them (NATS 2.15).
		of := c.size(s)
		events, bound = min(events, of.fit(bytes)), nil
		pass := each
		each = func(r *Received) {
			of.saw(r.Bytes)
			pass(r)
		}
	}
	got, err := c.fetch(ctx, changed, each, func(o ...jetstream.FetchOpt) (jetstream.MessageBatch, error) {
		return consumer.Fetch(events, append(o, bound...)...)
	})
	if got == 0 && err == nil && time.Since(begin) < fetchTime/2 {
		// The next event is larger than what the server may send: it has said so at once, and gives
		// none behind it either.
		_, err = c.fetch(ctx, changed, each, func(o ...jetstream.FetchOpt) (jetstream.MessageBatch, error) {
			return consumer.Fetch(1, o...)
		})
	}
	return missing(err)
}

// fetch passes the events of a batch to each, and counts them. It ends the batch when the connection
// has changed.
func (c *Client) fetch(
	ctx context.Context, changed <-chan struct{}, each func(*Received), begin func(...jetstream.FetchOpt) (jetstream.MessageBatch, error),
) (got int, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	batch, err := begin(jetstream.FetchContext(ctx), jetstream.FetchHeartbeat(beatTime))
	if err != nil {
		return 0, err
	}
	for {
		select {
		case m, more := <-batch.Messages():
			if !more {
				return got, batch.Error()
			}
			if r := c.received(m); r != nil {
				got++
				each(r)
			}
		case <-changed:
			cancel()
			changed = nil
		}
	}
}

// find returns a step's consumer. One that was found is not looked for again: a fetch from one
// that is gone says so.
func (c *Client) find(ctx context.Context, s queue.Step) (jetstream.Consumer, error) {
	if known, ok := c.consumers.Load(s.Consumer()); ok {
		return known.(jetstream.Consumer), nil
	}
	ctx, cancel := c.call(ctx)
	defer cancel()
	found, err := c.js.Consumer(ctx, c.settings.Stream, s.Consumer())
	if err == nil {
		c.consumers.Store(s.Consumer(), found)
	}
	return found, err
}

// received returns m as it is passed on; nil if it does not come from a stream.
func (c *Client) received(m jetstream.Msg) *Received {
	about, err := m.Metadata()
	if err != nil {
		return nil
	}
	header := httpHeader(m.Headers())
	return &Received{
		Header: header, Data: m.Data(), msg: m, of: c, Bytes: int64(len(m.Data())) + 2*headerBytes(header), // as they came, and as they were read
		Sequence: about.Sequence.Stream, Delivered: int(min(about.NumDelivered, 1<<30)), Published: about.Timestamp,
	}
}

// missing returns [queue.ErrMissing] if err means that, and nil if err only means that a
// fetch has ended.
func missing(err error) error {
	for _, end := range []error{
		context.Canceled, context.DeadlineExceeded, nats.ErrTimeout, jetstream.ErrNoMessages, jetstream.ErrMaxBytesExceeded,
	} {
		if errors.Is(err, end) {
			return nil
		}
	}
	if err = worded(err); errors.Is(err, errAway) {
		return err
	}
	for _, gone := range []error{
		jetstream.ErrConsumerNotFound, jetstream.ErrStreamNotFound, jetstream.ErrConsumerDeleted, jetstream.ErrConsumerDoesNotExist,
		nats.ErrNoResponders, jetstream.ErrNoHeartbeat,
	} {
		if errors.Is(err, gone) {
			return errors.Join(queue.ErrMissing, err)
		}
	}
	return err
}

// Ack has the server remove the event, and returns when it has, or when the event has gone with its stream.
func (r *Received) Ack(ctx context.Context) error {
	if _, err := r.of.since(ctx); err != nil || r.gone() {
		return err
	}
	ctx, cancel := r.of.call(ctx)
	defer cancel()
	return ended(ctx, r.msg.DoubleAck(ctx))
}

// Done is Ack that does not wait for the server.
func (r *Received) Done() error {
	if r.gone() {
		return nil
	}
	return worded(r.msg.Ack())
}

// Nak gives the event back: it is delivered again after delay.
func (r *Received) Nak(delay time.Duration) error {
	switch {
	case r.gone():
		return nil
	case delay <= 0:
		return r.msg.Nak()
	}
	return r.msg.NakWithDelay(delay)
}

// InProgress has the server wait for another [queue.AckWait].
func (r *Received) InProgress() error {
	if r.gone() {
		return nil
	}
	return r.msg.InProgress()
}
