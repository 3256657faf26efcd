package channel

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"krt.dev/kn-krt/test/channel/journal"
)

// Options of a dispatcher. What is not set has a default.
type Options struct {
	// Workers is how many events one subscriber is sent at a time; 16.
	Workers int
	// MaxBytes is the largest event, by its data; 8 MiB.
	MaxBytes int64
	// StoreBytes is how much may be stored; 256 MiB. Beyond it, events are refused with 503.
	StoreBytes int64
	// Chance decides whether something happens that happens in so many of 100 cases.
	Chance func(percent int) bool
	// Pause is how long to wait before what has failed altogether is tried again; 1 s, doubled each
	// time up to 15 s.
	Pause time.Duration
	Log   *slog.Logger
}

// Counts are what a dispatcher has done since it was started.
type Counts struct {
	// Accepted and Pending count an event once for each subscriber.
	Accepted, Pending int64
	Delivered         int64
	Repeated          int64
	HeldBack          int64
	Retried           int64
	DeadLettered      int64
	// Dropped had nobody to be sent to any more.
	Dropped int64
	Refused int64
	Hidden  int64
}

// Dispatcher stores and delivers the events of all channels.
type Dispatcher struct {
	Options
	journal *journal.Journal
	client  *http.Client
	ctx     context.Context
	stop    context.CancelFunc
	workers sync.WaitGroup

	mu       sync.Mutex
	channels map[Key]*state
	parked   map[Key]map[string][]*item // stored, of channels that are not known yet, by subscriber
	counts   Counts
}

// state is a channel that is known.
type state struct {
	Channel
	queues map[string]*queue // by subscriber
}

// Open opens the store and has what is in it delivered as soon as its channels are known.
func Open(path string, o Options) (*Dispatcher, error) {
	if o.Workers == 0 {
		o.Workers = 16
	}
	if o.MaxBytes == 0 {
		o.MaxBytes = 8 << 20
	}
	if o.StoreBytes == 0 {
		o.StoreBytes = 256 << 20
	}
	if o.Chance == nil {
		o.Chance = func(percent int) bool { return rand.IntN(100) < percent }
	}
	if o.Pause == 0 {
		o.Pause = time.Second
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	j, kept, err := journal.Open(path)
	if err != nil {
		return nil, err
	}
	d := &Dispatcher{
		Options: o, journal: j, channels: map[Key]*state{}, parked: map[Key]map[string][]*item{},
		// Nothing is unpacked, and each subscriber may have as many connections as workers.
		client: &http.Client{Transport: &http.Transport{
			DisableCompression: true, MaxIdleConns: 1000, MaxIdleConnsPerHost: 1000, IdleConnTimeout: 90 * time.Second,
		}},
	}
	d.ctx, d.stop = context.WithCancel(context.Background())
	for id, payload := range kept {
		e, err := decodeEvent(payload)
		if err != nil {
			return nil, fmt.Errorf("%s: record %d: %w", path, id, err)
		}
		d.park(&item{id: id, event: e})
	}
	return d, nil
}

// Close ends all deliveries and closes the store; what is not delivered stays in it.
func (d *Dispatcher) Close() error {
	d.stop()
	d.mu.Lock()
	for _, s := range d.channels {
		for _, q := range s.queues {
			q.pending() // who is about to start a worker has done so, and nobody will any more
		}
	}
	d.mu.Unlock()
	d.workers.Wait()
	d.client.CloseIdleConnections()
	return d.journal.Close()
}

// Set makes a channel known, or changes it. What is stored for subscribers that it does not have is
// dropped.
func (d *Dispatcher) Set(c Channel) error {
	if err := c.Validate(); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	known := d.channels[c.Key]
	if known == nil {
		known = &state{queues: map[string]*queue{}}
		d.channels[c.Key] = known
	}
	known.Channel = c
	stays := map[string]bool{}
	for _, s := range c.Subscribers {
		r, err := c.rules(s)
		if err != nil {
			return err
		}
		stays[s.UID] = true
		if q := known.queues[s.UID]; q != nil {
			q.change(r)
			continue
		}
		q := newQueue(d, r)
		known.queues[s.UID] = q
		for _, i := range d.parked[c.Key][s.UID] {
			q.push(i)
		}
		delete(d.parked[c.Key], s.UID)
	}
	for uid, q := range known.queues {
		if !stays[uid] {
			q.end()
			delete(known.queues, uid)
		}
	}
	d.dropParked(c.Key)
	return nil
}

// Remove forgets a channel and all that is stored for it.
func (d *Dispatcher) Remove(key Key) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if known := d.channels[key]; known != nil {
		for _, q := range known.queues {
			q.end()
		}
		delete(d.channels, key)
	}
	d.dropParked(key)
}

// RemoveUnknown drops what is stored for channels of which none was set: all are known now.
func (d *Dispatcher) RemoveUnknown() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for key := range d.parked {
		d.dropParked(key)
	}
}

func (d *Dispatcher) dropParked(key Key) {
	for _, items := range d.parked[key] {
		for _, i := range items {
			d.counts.Dropped++
			d.journal.Forget(i.id)
		}
	}
	delete(d.parked, key)
}

func (d *Dispatcher) park(i *item) {
	of := d.parked[i.event.To]
	if of == nil {
		of = map[string][]*item{}
		d.parked[i.event.To] = of
	}
	of[i.event.Subscriber] = append(of[i.event.Subscriber], i)
}

// Counts returns what the dispatcher has done and has to do.
func (d *Dispatcher) Counts() Counts {
	d.mu.Lock()
	defer d.mu.Unlock()
	c := d.counts
	for _, s := range d.channels {
		for _, q := range s.queues {
			c.Pending += q.pending()
		}
	}
	for _, of := range d.parked {
		for _, items := range of {
			c.Pending += int64(len(items))
		}
	}
	return c
}

// count adds one to a count.
func (d *Dispatcher) count(n *int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	*n++
}
