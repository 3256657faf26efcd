package delivery

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"sync"
	"time"

	"google.golang.org/grpc/mem"

	"krt.dev/kn-krt/pkg/entrypoint/httpclient"
	"krt.dev/kn-krt/pkg/entrypoint/memory"
	"krt.dev/kn-krt/pkg/runner/clip"
	"krt.dev/kn-krt/pkg/runner/event"
)

// Retry is how often and how fast a failed exchange is tried again.
type Retry struct {
	// Count is the number of tries after the first; negative means none.
	Count int
	// Delay is the pause before the first retry; it doubles with each.
	Delay time.Duration
	// Patience is how long a Sequence is tried again that accepts no connection, or
	// whose dispatcher does not know it yet: then no step can have run.
	Patience time.Duration
}

// DefaultRetry returns how a step is tried again by default: three times, after
// 0.2, 0.4 and 0.8 s. The Sequences that package render makes do the same.
func DefaultRetry() Retry {
	return Retry{Count: 3, Delay: 200 * time.Millisecond, Patience: 10 * time.Second}
}

// Options tune a [Sender].
type Options struct {
	// MaxMessageBytes bounds the data of an event that a node responds with.
	MaxMessageBytes int
	// Retry is how a failed exchange is tried again.
	Retry Retry
	// Retried is called for each retry.
	Retried func()
	// Logger gets what goes wrong.
	Logger *slog.Logger
	// Near reaches nodes in this process. Nil: there are none.
	Near Near
	// ConnectTime bounds a try to connect to a node, and how long a pod may take to name itself. Default: 1 s.
	ConnectTime time.Duration
	// Source returns the source of the events of a node: who must respond at the address of a pod.
	Source func(node string) string
	// Arrives is called before an event is sent to a node's Knative Service by direct calls.
	Arrives func(node string)
}

// Near reaches nodes in this process.
type Near = httpclient.Near

// Sender makes the deliveries of an entrypoint, which share its connections.
type Sender struct {
	*exchange
	// pods is for shortcuts, replicas for what belongs to other entrypoints.
	pods     *exchange
	replicas *replicas
	source   func(node string) string
	log      *slog.Logger
	mu       sync.Mutex
	ways     map[string]*balanced // by their address
}

// NewSender returns a sender that keeps data in buffers of pool.
func NewSender(pool *memory.Pool, o Options) *Sender {
	x := exchange{pool: pool, limit: int64(o.MaxMessageBytes), retry: o.Retry, retried: o.Retried, arrives: o.Arrives}
	nodes, pods := x, x
	nodes.client = httpclient.New(httpclient.Options{Near: o.Near, ConnectTime: o.ConnectTime})
	pods.client = httpclient.New(httpclient.Options{MaxAge: shortcutAge, ConnectTime: o.ConnectTime})
	return &Sender{exchange: &nodes, pods: &pods,
		replicas: newReplicas(), source: o.Source, log: o.Logger, ways: map[string]*balanced{}}
}

// Close closes the idle connections, and ends the search for pods.
func (s *Sender) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, way := range s.ways {
		way.Close()
	}
	s.client.Close()
	s.pods.client.Close()
}

// Forward posts data with the given header to another replica, once. It frees nothing. The error may be [ErrNotSent].
func (s *Sender) Forward(ctx context.Context, to *url.URL, header http.Header, data mem.Buffer) error {
	return s.replicas.reach(ctx, to.Host, func() error {
		response, err := s.postWith(ctx, to, header, &Parcel{Data: data}, &send{})
		if response != nil {
			response.Data.Free()
		}
		return err
	})
}

// podsOf returns x for the pods of a node: nobody else who may have the address of one gets an event.
func (s *Sender) podsOf(node string, x *exchange) *exchange {
	one := *x
	one.peer = &httpclient.Peer{Path: "/readyz", Header: event.HeaderSource, Name: s.source(node)}
	return &one
}

// exchange posts events and reads the events that nodes respond with.
type exchange struct {
	client  *httpclient.Client
	peer    *httpclient.Peer // nil: whoever is at an address
	known   bool             // by connections that have been made before alone
	pool    *memory.Pool
	limit   int64 // bytes of a response's data
	retry   Retry
	retried func()
	arrives func(node string)
}

// responseError is an HTTP response that is not a success.
type responseError struct {
	status int
	text   string
	header http.Header
}

func (r *responseError) Error() string {
	if r.text == "" {
		return fmt.Sprintf("responded with HTTP %d", r.status)
	}
	return fmt.Sprintf("responded with HTTP %d: %s", r.status, r.text)
}

// malformedError is a response that trying again does not change: its event
// cannot be read.
type malformedError struct{ cause error }

func (m *malformedError) Error() string {
	return "responded with a malformed event: " + m.cause.Error()
}

// post posts p to address, with the trace context of ctx or that of s' own span, and
// returns the event of the response, nil when the response is a success without one. The
// response's status is noted in s. It does not free p's data.
func (x *exchange) post(ctx context.Context, address *url.URL, p *Parcel, s *send) (*Parcel, error) {
	header := make(http.Header, 14)
	p.Event.WriteHeader(header)
	trace := event.ContextTrace(ctx)
	if s.span != ([8]byte{}) {
		trace = trace.Child(s.span)
	}
	trace.WriteHeader(header)
	if s.streaming.accepts() {
		event.AcceptStream(header)
		ctx, s.streaming.cancel = context.WithCancel(ctx)
		defer s.streaming.cancel()
	}
	return x.postWith(ctx, address, header, p, s)
}

// postWith posts p's data with the given header to address; see post.
func (x *exchange) postWith(ctx context.Context, address *url.URL, header http.Header, p *Parcel, s *send) (*Parcel, error) {
	body := httpclient.Body{Data: p.Data.ReadOnlyData(), Sent: p.Sent, Peer: x.peer, Known: x.known, Whole: !s.streaming.accepts()}
	res, err := x.client.Post(ctx, address, header, body)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	s.status = res.StatusCode
	if res.StatusCode < 200 || res.StatusCode > 299 {
		text, _ := io.ReadAll(io.LimitReader(res.Body, 512))
		return nil, &responseError{res.StatusCode, clip.Text(string(bytes.TrimSpace(text)), 256), res.Header}
	}
	out, err := event.ReadHeader(res.Header)
	switch {
	case errors.Is(err, event.ErrNoEvent):
		s.steps = event.ReadSteps(res.Header)
		_, _ = io.CopyN(io.Discard, res.Body, 4096) // so that the connection is used again
		return nil, nil
	case err != nil:
		return nil, &malformedError{err}
	case s.streaming.accepts() && event.IsStream(res.Header):
		return x.relay(ctx, res.Body, out, s)
	}
	data, err := x.pool.Read(res.Body, res.ContentLength, x.limit)
	if err != nil {
		return nil, err
	}
	return &Parcel{Event: out, Data: data}, nil
}

// hold takes over p's data, and returns p as it is to be sent.
func (x *exchange) hold(p *Parcel) (*memory.Payload, *Parcel) {
	payload, outgoing := x.pool.Payload(p.Data), *p
	outgoing.Sent = func() {
		if p.Sent != nil {
			p.Sent()
		}
		payload.Sent()
	}
	return payload, &outgoing
}

// pause waits before a retry and counts it; false if ctx was done first.
func (x *exchange) pause(ctx context.Context, delay time.Duration) bool {
	timer := time.NewTimer(delay)
	select {
	case <-timer.C:
		x.retried()
		return true
	case <-ctx.Done():
		timer.Stop()
		return false
	}
}

// retryable reports whether a Knative dispatcher would try again after err: no
// response, 5xx, 404, 408, 409 and 429. Both deliveries follow the same rule.
func retryable(err error) bool {
	var response *responseError
	if errors.As(err, &response) {
		switch response.status {
		case http.StatusNotFound, http.StatusRequestTimeout, http.StatusConflict, http.StatusTooManyRequests:
			return true
		}
		return response.status >= 500
	}
	return !errors.As(err, new(*malformedError)) && !errors.Is(err, event.ErrTooLarge) && !errors.Is(err, memory.ErrFull) && !refused(err)
}
