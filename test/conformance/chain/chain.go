// Package chain is a Knative Sequence in process: channels of Knative's own
// in-memory channel code, joined by subscriptions as its Sequence reconciler
// makes them, behind one server as its in-memory dispatcher has it. What a
// version does over a Sequence is tried against it without a cluster.
package chain

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"go.opentelemetry.io/otel"
	"go.uber.org/zap"
	eventingduckv1 "knative.dev/eventing/pkg/apis/duck/v1"
	"knative.dev/eventing/pkg/channel"
	"knative.dev/eventing/pkg/channel/fanout"
	"knative.dev/eventing/pkg/channel/multichannelfanout"
	"knative.dev/eventing/pkg/eventingtls"
	"knative.dev/eventing/pkg/kncloudevents"
	"knative.dev/pkg/apis"
	duckv1 "knative.dev/pkg/apis/duck/v1"
	"knative.dev/pkg/observability/tracing"
)

// The in-memory dispatcher's own settings in Knative 1.23: its read timeout, and
// what its Deployment sets MAX_IDLE_CONNS and MAX_IDLE_CONNS_PER_HOST to.
const (
	readTimeout = 15 * time.Minute
	idleConns   = 1000
)

const namespace = "conformance"

// Delivery is how every step of a Sequence delivers.
type Delivery struct {
	// Reply takes the last step's event; DeadLetter what a step gave up on.
	// Both are URLs; without DeadLetter a step that fails fails the whole POST.
	Reply, DeadLetter string
	// Timeout bounds one attempt, and where they are nested all later steps; 0 for none. Whole
	// seconds.
	Timeout time.Duration
	// Retry is the number of tries after the first.
	Retry int
	// Backoff is the pause before the first retry; it doubles with each. Knative
	// reads a tenth of a second at the finest; a test may have it finer.
	Backoff time.Duration
	// Async has the channels respond before they deliver.
	Async bool
}

// Dispatcher is an in-memory dispatcher: a server for any number of channels.
type Dispatcher struct {
	t        testing.TB
	channels *multichannelfanout.EventHandler
	sender   *kncloudevents.Dispatcher
	server   *httptest.Server
}

// NewDispatcher starts a dispatcher, which ends with the test.
func NewDispatcher(t testing.TB) *Dispatcher {
	t.Helper()
	// Knative's code wants to know where it is installed, and panics if not told.
	t.Setenv("SYSTEM_NAMESPACE", "knative-eventing")
	// As its main does, also with tracing off: it makes the dispatcher pass traceparent on.
	otel.SetTextMapPropagator(tracing.DefaultTextMapPropagator())
	kncloudevents.ConfigureConnectionArgs(&kncloudevents.ConnectionArgs{MaxIdleConns: idleConns, MaxIdleConnsPerHost: idleConns})
	d := &Dispatcher{
		t:        t,
		channels: multichannelfanout.NewEventHandler(context.Background(), zap.NewNop()),
		sender:   kncloudevents.NewDispatcher(eventingtls.ClientConfig{}, nil),
	}
	d.server = httptest.NewUnstartedServer(kncloudevents.CreateHandler(d.channels))
	d.server.Config.ReadTimeout = readTimeout
	d.server.Start()
	t.Cleanup(func() {
		d.server.CloseClientConnections() // what hangs in a failed test must not hang the rest
		d.server.Close()
	})
	return d
}

// Sequence makes a Sequence of that name through the nodes at the given URLs and
// returns its address.
func (d *Dispatcher) Sequence(name string, delivery Delivery, nodes ...string) (address string) {
	d.t.Helper()
	for i, node := range nodes {
		next := delivery.Reply
		if i+1 < len(nodes) {
			next = d.channel(name, i+1)
		}
		handler, err := d.handler(delivery, node, next)
		if err != nil {
			d.t.Fatalf("cannot make step %d of Sequence %q: %v", i, name, err)
		}
		d.channels.SetChannelHandler(namespace+"/"+channelName(name, i), handler)
	}
	return d.channel(name, 0)
}

// channelName is as the Sequence reconciler names its channels.
func channelName(sequence string, step int) string {
	return fmt.Sprintf("%s-kn-sequence-%d", sequence, step)
}

func (d *Dispatcher) channel(sequence string, step int) string {
	return d.server.URL + "/" + namespace + "/" + channelName(sequence, step)
}

// subscription is one step's, made as the dispatcher's reconciler makes it of
// what the Subscription and Sequence reconcilers have written.
func (d Delivery) subscription(subscriber, reply string) (fanout.Subscription, error) {
	to, err := apis.ParseURL(subscriber)
	if err != nil {
		return fanout.Subscription{}, err
	}
	next, err := apis.ParseURL(reply)
	if err != nil {
		return fanout.Subscription{}, err
	}
	spec := eventingduckv1.DeliverySpec{
		Retry:         new(int32(d.Retry)),
		BackoffPolicy: new(eventingduckv1.BackoffPolicyExponential),
		BackoffDelay:  new(fmt.Sprintf("PT%.1fS", d.Backoff.Seconds())),
	}
	if d.Timeout > 0 {
		spec.Timeout = new(fmt.Sprintf("PT%.0fS", d.Timeout.Seconds()))
	}
	if d.DeadLetter != "" {
		sink, err := apis.ParseURL(d.DeadLetter)
		if err != nil {
			return fanout.Subscription{}, err
		}
		spec.DeadLetterSink = &duckv1.Destination{URI: sink}
	}
	s, err := fanout.SubscriberSpecToFanoutConfig(eventingduckv1.SubscriberSpec{
		SubscriberURI: to, ReplyURI: next, Delivery: &spec,
	})
	if err != nil {
		return fanout.Subscription{}, err
	}
	s.Namespace = namespace
	if d.Backoff < 100*time.Millisecond {
		s.RetryConfig.Backoff = func(attempt int, _ *http.Response) time.Duration { return d.Backoff << attempt }
	}
	return *s, nil
}

// handler is a channel with one subscription: synchronous, as in-memory channels
// are unless annotated otherwise, or not.
func (d *Dispatcher) handler(delivery Delivery, subscriber, reply string) (fanout.EventHandler, error) {
	handler := func() (fanout.EventHandler, error) {
		s, err := delivery.subscription(subscriber, reply)
		if err != nil {
			return nil, err
		}
		return fanout.NewFanoutEventHandler(zap.NewNop(),
			fanout.Config{Subscriptions: []fanout.Subscription{s}, AsyncHandler: delivery.Async},
			nil, nil, nil, d.sender, nil, nil,
			channel.ResolveChannelFromPath(channel.ParseChannelFromPath))
	}
	first, err := handler()
	if racing && err == nil {
		return &unshared{first, handler}, nil
	}
	return first, err
}

// unshared is a channel that is made anew for each event. Knative's dispatcher
// writes to a subscription that its requests share; what it writes is what is
// there already, but it is a data race all the same, and not one of ours.
type unshared struct {
	fanout.EventHandler
	handler func() (fanout.EventHandler, error)
}

// ServeHTTP implements http.Handler.
func (u *unshared) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	handler, err := u.handler()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	handler.ServeHTTP(w, r)
}
