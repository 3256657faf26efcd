// Package entrypoint serves a version: gRPC for the user's own proto on one
// port, JSON, Connect, gRPC-Web and CloudEvents on a second, and on a third the
// replies of nodes.
//
// A request becomes one CloudEvent (package event), a [delivery.Delivery] carries
// it through the workflow's nodes, and what comes first is the client's response:
// the last node's event, an early reply or exit, an error, or the deadline.
package entrypoint

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc/health"
	"google.golang.org/protobuf/reflect/protoreflect"

	"krt.dev/kn-krt/pkg/channel"
	"krt.dev/kn-krt/pkg/entrypoint/authentication"
	"krt.dev/kn-krt/pkg/entrypoint/capture"
	"krt.dev/kn-krt/pkg/entrypoint/cold"
	"krt.dev/kn-krt/pkg/entrypoint/delivery"
	"krt.dev/kn-krt/pkg/entrypoint/mail"
	"krt.dev/kn-krt/pkg/entrypoint/memory"
	"krt.dev/kn-krt/pkg/entrypoint/metrics"
	"krt.dev/kn-krt/pkg/entrypoint/pending"
	"krt.dev/kn-krt/pkg/entrypoint/raw"
	"krt.dev/kn-krt/pkg/entrypoint/record"
	"krt.dev/kn-krt/pkg/entrypoint/seal"
	"krt.dev/kn-krt/pkg/entrypoint/traffic"
	"krt.dev/kn-krt/pkg/entrypoint/warm"
	"krt.dev/kn-krt/pkg/entrypoint/web"
	"krt.dev/kn-krt/pkg/queue"
	"krt.dev/kn-krt/pkg/runner/environment"
	"krt.dev/kn-krt/pkg/runner/event"
	"krt.dev/kn-krt/pkg/runner/loglimit"
	"krt.dev/kn-krt/pkg/schema"
)

// Version is what an entrypoint serves.
type Version struct {
	// Namespace is the runtime the version belongs to; "local" in a local run.
	Namespace string
	// Name is the version's name.
	Name string
	// Description is free text for people.
	Description string
	// Schema is the compiled contract of the entrypoint.
	Schema *schema.Schema
	// Workflows tie rpcs to nodes; at most one for each rpc.
	Workflows []Workflow
	// BackgroundTimeout bounds the work behind an early reply, counted from the
	// reply, and asynchronous requests. Default 1 hour.
	BackgroundTimeout time.Duration
	// Results is how long the responses to asynchronous requests are kept for their clients; 0: they are
	// not. It has no effect without Options.Mail.
	Results time.Duration
	// Inspect says what is kept of the messages of inspected requests; nil: nothing is.
	Inspect *capture.Settings
}

// Workflow ties one rpc to the nodes that serve it.
type Workflow struct {
	// Name is the workflow's name in the manifest.
	Name string
	// Method is the rpc; its request is one message.
	Method protoreflect.MethodDescriptor
	// Steps are the nodes in order.
	Steps []Step
	// Address is the URL of the workflow's Knative Sequence. Empty means direct
	// delivery: the entrypoint calls each step itself.
	Address string
	// Channel is the kind of its channels; the zero value means Knative's default.
	Channel channel.Kind
}

// nodes returns the names of the workflow's nodes.
func (w *Workflow) nodes() []string {
	names := make([]string, len(w.Steps))
	for i, s := range w.Steps {
		names[i] = s.Node
	}
	return names
}

// Step is a node's place in a workflow.
type Step = delivery.Step

// Retry is how often and how fast a failed exchange is tried again.
type Retry = delivery.Retry

// Options tune an entrypoint. The zero value of each field means its default.
type Options struct {
	// Timeout bounds a request without a shorter deadline of its own. Default 30 s.
	Timeout time.Duration
	// StreamTimeout bounds a request of a streaming rpc in Timeout's place, if it is longer.
	// Default 5 minutes.
	StreamTimeout time.Duration
	// StreamIdle is how long a stream may wait for its next message, once it has had one.
	// Default 60 s.
	StreamIdle time.Duration
	// StreamMessages bounds the messages of a stream. Default 100,000.
	StreamMessages int
	// MaxMessageBytes bounds a message in either direction (RESOURCE_EXHAUSTED, 413). Default 4 MiB.
	MaxMessageBytes int
	// MaxInFlight bounds the requests in flight (RESOURCE_EXHAUSTED). Default 10,000.
	MaxInFlight int
	// MaxBytes bounds what is held of requests and responses in all, counted
	// before it is read; a request for which there is no room left is
	// RESOURCE_EXHAUSTED or 429. Default 256 MiB, or 8 of the largest messages if
	// these are more; less than that is an error.
	MaxBytes int64
	// WebOrigins are the origins, such as "https://app.example.com", whose pages
	// may call the web port from browsers; "*" is any. Default: none.
	WebOrigins []string
	// Authentication says which clients may call. Default: all.
	Authentication authentication.Config
	// Reserved serves the paths below [web.ReservedPath] of the web port, such as a dashboard's. It
	// guards itself: WebOrigins, budget and limits of requests are not its own, and a response
	// may last. Its requests are cancelled when the entrypoint stops. Default: none.
	Reserved http.Handler
	// ConnectionAge is how long a client's connection may live at most: the
	// client is asked before to reconnect. Over HTTP the response to a request
	// asks, so an idle connection lives until its next one. Default 2 minutes.
	ConnectionAge time.Duration
	// ConnectionGrace is how long requests in flight may go on once their
	// connection is retired, or the entrypoint stops. Default 30 s.
	ConnectionGrace time.Duration
	// Traffic is the folder with the file that says which requests a canary serves; see package traffic. Empty: none.
	Traffic string
	// Cold knows which nodes have no pod that could respond. Default: nothing is known.
	Cold *cold.Nodes
	// Retry is how often a step is tried again. The default is what a
	// Sequence of ours has: 3 retries after 0.2, 0.4 and 0.8 s; patience 10 s.
	Retry Retry
	// Key is the version's own secret of 32 bytes that seals reply tokens; all
	// replicas share it. Default: a random one, right for a single replica.
	Key []byte
	// Advertise is the ip:port at which other replicas reach this one's reply port.
	// Empty: there are no others.
	Advertise string
	// Durable asks for durable delivery, and says where the queue is. Nil: there is none.
	Durable *queue.Settings
	// Queue is what keeps and carries the events of workflows that have no Address then. The
	// version that is served cannot be changed with it. Package durable sets it.
	Queue delivery.Queue
	// Near reaches nodes that run in this process. Default: there are none.
	Near delivery.Near
	// Logger gets what goes wrong. Default: slog.Default().
	Logger *slog.Logger
	// Tracer gives requests their spans. Default: they have none, and the client's trace
	// context is passed on as it is.
	Tracer Tracer
	// Observers get the record of each request, in this order, after the entrypoint's
	// own metrics. Default: none.
	Observers []record.Observer
	// Mail keeps results, and dead letters: events of work that no client waits for and that
	// are given up on. The entrypoint does not close it. Default: none are kept.
	Mail *mail.Box
	// Waker, which is also one of Observers and Collectors, wakes nodes ahead of events. Default: none does.
	Waker *warm.Waker
	// Collectors are served with the entrypoint's own metrics. Default: none.
	Collectors []prometheus.Collector
	// Inspection are what else the inspection port serves, by pattern. Default: nothing.
	Inspection map[string]http.HandlerFunc
}

// Tracer gives requests their spans. Package telemetry has one.
type Tracer interface {
	// Start begins the span of a request. Of the client it gets the trace context, zero if
	// it sent none, and returns what nodes get, which is that of the span. If the trace is
	// not recorded, the span is zero, and what nodes get is not sampled.
	Start(client event.Trace) (request event.Trace, span [8]byte)
}

// Entrypoint serves one version at a time; [Entrypoint.Update] changes which.
type Entrypoint struct {
	options  Options
	log      *slog.Logger
	table    atomic.Pointer[table]
	pending  *pending.Set[*request]
	sealer   *seal.Sealer
	metrics  *metrics.Metrics
	capture  *capture.Capture
	sender   *delivery.Sender
	budget   *memory.Budget
	buffers  *memory.Pool
	receiver raw.Receiver
	decoding *web.Decoding
	origins  *web.Origins
	clients  *authentication.Authenticator // nil: no authentication is required
	page     *web.Page
	traffic  *traffic.Divider
	grpcPort string // set once, before anything is served
	health   *health.Server
	records  sync.Pool // of *record.Record, for as long as observers look at one
	sends    sync.Pool // of the delivery; see [delivery.Request]
	inFlight atomic.Int64
	logged   atomic.Int64 // the last second in which a dropped reply was logged
	ready    atomic.Bool
	// swap guards the change of tables; served are those that may have requests
	// left; closed means that the last one has been released.
	swap   sync.Mutex
	served []*table
	closed bool
	// leaving ends when the entrypoint begins to stop.
	leaving context.Context
	leave   context.CancelFunc
	// base ends what is left of requests when a graceful stop takes too long.
	base context.Context
	end  context.CancelCauseFunc
}

// New returns an entrypoint for v. It fails when v is inconsistent: a workflow
// without steps, a streaming rpc, two workflows on one rpc.
func New(v Version, o Options) (*Entrypoint, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	e := &Entrypoint{
		options:  o,
		log:      slog.New(loglimit.New(o.Logger.Handler())),
		pending:  pending.New[*request](),
		metrics:  metrics.New(metrics.DropReasons()...),
		capture:  capture.New(),
		decoding: web.NewDecoding(o.MaxMessageBytes),
		health:   health.NewServer(),
	}
	if e.sealer, err = seal.New(o.Key, v.Name, o.Advertise); err != nil {
		return nil, err
	}
	if e.origins, err = web.NewOrigins(o.WebOrigins); err != nil {
		return nil, err
	}
	if e.clients, err = authentication.New(o.Authentication, e.log); err != nil {
		return nil, err
	}
	if e.page, err = web.NewPage(); err != nil {
		return nil, err
	}
	e.budget = memory.New(o.MaxBytes, &e.inFlight, o.MaxInFlight/2)
	e.buffers = memory.NewPool(e.budget)
	e.receiver = raw.Receiver{Budget: e.budget, Buffers: e.buffers, Limit: int64(o.MaxMessageBytes)}
	e.sender = delivery.NewSender(e.buffers, delivery.Options{
		MaxMessageBytes: o.MaxMessageBytes, Retry: o.Retry, Retried: e.metrics.Retried, Logger: e.log, Near: o.Near, ConnectTime: connectTime,
		Source: func(node string) string { return event.Source(v.Namespace, v.Name, node) }, Arrives: o.Waker.Arrives,
	})
	e.base, e.end = context.WithCancelCause(context.Background())
	e.leaving, e.leave = context.WithCancel(context.Background())
	e.metrics.Gauges(func() float64 { return float64(e.inFlight.Load()) }, func() float64 { return float64(e.budget.Used()) })
	e.options.Waker.Working(e.working)
	e.traffic = e.newDivider()
	if err := e.metrics.Add(append(o.Collectors, e.traffic, o.Mail)...); err != nil {
		return nil, err
	}
	t, err := e.newTable(v)
	if err != nil {
		return nil, err
	}
	_, err = e.install(t)
	return e, err
}

func (o Options) withDefaults() (Options, error) {
	o.Timeout = cmp.Or(o.Timeout, 30*time.Second)
	o.StreamTimeout = cmp.Or(o.StreamTimeout, environment.DefaultStreamTimeout)
	o.StreamTimeout = max(o.StreamTimeout, o.Timeout)
	o.StreamIdle = cmp.Or(o.StreamIdle, environment.DefaultStreamIdle)
	o.StreamMessages = cmp.Or(o.StreamMessages, environment.DefaultStreamMessages)
	o.MaxMessageBytes = cmp.Or(o.MaxMessageBytes, environment.DefaultMaxMessageBytes)
	o.MaxInFlight = cmp.Or(o.MaxInFlight, 10_000)
	o.MaxBytes = cmp.Or(o.MaxBytes, memory.DefaultBudget(o.MaxMessageBytes))
	o.ConnectionAge = cmp.Or(o.ConnectionAge, 2*time.Minute)
	o.ConnectionGrace = cmp.Or(o.ConnectionGrace, 30*time.Second)
	o.Retry = cmp.Or(o.Retry, delivery.DefaultRetry())
	o.Logger = cmp.Or(o.Logger, slog.Default())
	if least := memory.LeastBudget(o.MaxMessageBytes); o.MaxBytes < least {
		return o, fmt.Errorf("cannot serve messages of up to %d bytes: the budget of %d bytes must be at least %d",
			o.MaxMessageBytes, o.MaxBytes, least)
	}
	if o.Durable != nil && o.Queue == nil {
		return o, errors.New("cannot deliver by a queue: this program has none")
	}
	if o.Key == nil {
		o.Key = make([]byte, seal.KeyBytes)
		_, _ = rand.Read(o.Key) // never fails (crypto/rand)
	}
	return o, nil
}
