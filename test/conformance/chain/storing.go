package chain

import (
	"fmt"
	"log/slog"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"

	"krt.dev/kn-krt/test/channel"
)

// Storing is the same over channels that store each event before they accept it, and deliver it then:
// what Kafka's and NATS's do.
type Storing struct {
	t      testing.TB
	events *channel.Dispatcher
	server *httptest.Server
	faults channel.Faults
}

// NewStoring starts a dispatcher, which ends with the test. Its channels have those faults.
func NewStoring(t testing.TB, faults channel.Faults) *Storing {
	t.Helper()
	events, err := channel.Open(filepath.Join(t.TempDir(), "events"), channel.Options{
		Workers: idleConns, Pause: 100 * time.Millisecond, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatalf("cannot open the store of the channels: %v", err)
	}
	d := &Storing{t: t, events: events, server: httptest.NewServer(events), faults: faults}
	t.Cleanup(func() {
		d.server.CloseClientConnections()
		d.server.Close()
		if err := events.Close(); err != nil {
			t.Errorf("cannot close the store of the channels: %v", err)
		}
	})
	return d
}

// Sequence makes a Sequence as that of a [Dispatcher] does.
func (d *Storing) Sequence(name string, delivery Delivery, nodes ...string) (address string) {
	d.t.Helper()
	for i, node := range nodes {
		s := channel.Subscriber{UID: channelName(name, i), Generation: 1, SubscriberURI: node, ReplyURI: delivery.Reply}
		if i+1 < len(nodes) {
			s.ReplyURI = d.channel(name, i+1)
		}
		s.Delivery = channel.Delivery{
			Retry: delivery.Retry, BackoffPolicy: "exponential",
			BackoffDelay: fmt.Sprintf("PT%.3fS", delivery.Backoff.Seconds()),
			Timeout:      fmt.Sprintf("PT%.0fS", delivery.Timeout.Seconds()),
		}
		s.Delivery.DeadLetterSink.URI = delivery.DeadLetter
		key := channel.Key{Namespace: namespace, Name: channelName(name, i)}
		if err := d.events.Set(channel.Channel{Key: key, Subscribers: []channel.Subscriber{s}, Faults: d.faults}); err != nil {
			d.t.Fatalf("cannot make step %d of Sequence %q: %v", i, name, err)
		}
	}
	return d.channel(name, 0)
}

// Pending is how many events are on their way.
func (d *Storing) Pending() int64 { return d.events.Counts().Pending }

func (d *Storing) channel(sequence string, step int) string {
	return d.server.URL + "/" + namespace + "/" + channelName(sequence, step)
}
