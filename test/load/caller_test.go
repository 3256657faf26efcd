package load_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"

	"krt.dev/kn-krt/pkg/entrypoint/httpclient"
	"krt.dev/kn-krt/test/conformance/node"
)

const (
	rpc = "/conformance.Entrypoint/One"

	grpcLong = "gRPC, long connections"
	grpcNew  = "gRPC, a new one each"
	httpLong = "HTTP, keep-alive"
	httpNew  = "HTTP, a new one each"
)

// result is what became of a request.
type result struct {
	kind    string
	begun   time.Time
	took    time.Duration
	version string // which answered
	lost    string // why none did: gRPC's code, the HTTP status, or what the network did
	err     error
}

func (r result) ended() time.Time { return r.begun.Add(r.took) }

// hung says whether the request ended by its caller's clock only.
func (r result) hung() bool { return r.took >= requestTimeout+margin-time.Second }

// call sends one request and returns the text of its answer.
type call func(context.Context) (string, error)

// load is requests at a steady rate, whether those before are answered or not.
type load struct {
	mu      sync.Mutex
	results []result
	notSent int // requests that their client had no connection for
	callers sync.WaitGroup
	stop    context.CancelFunc
}

// clients are what sends the requests of a load. They are what a program has that knows
// nothing of us: grpc-go and net/http as they are by default, without a retry policy. What they
// try again by themselves (requests that the server has surely not seen) is not lost; all
// else that does not bring an answer is.
type clients struct {
	// rate is how many requests a second they send of each kind.
	rate int
	// connections is how many each HTTP client with keep-alive has at most, 0 for no bound.
	connections int
	// careful ones do what docs/how-to/machines.md says to find out that a machine is lost.
	careful bool
	// dial is how they connect, nil for the usual way.
	dial dialer
}

type dialer func(ctx context.Context, network, address string) (net.Conn, error)

// Careful clients wait for as long to connect, and for an acknowledgement.
const (
	connectTime = 3 * time.Second
	lossTime    = 5 * time.Second
)

func (c clients) transport() *http.Transport {
	t := &http.Transport{MaxIdleConnsPerHost: 1024, DialContext: c.dial}
	if c.careful {
		t.IdleConnTimeout = 2 * lossTime
		t.DialContext = (&net.Dialer{Timeout: connectTime, Control: httpclient.LimitLoss(lossTime), KeepAliveConfig: net.KeepAliveConfig{
			Enable: true, Idle: lossTime, Interval: time.Second, Count: 3,
		}}).DialContext
	}
	return t
}

func (c clients) grpc(address string) (*grpc.ClientConn, error) {
	options := []grpc.DialOption{grpc.WithTransportCredentials(insecure.NewCredentials())}
	if c.careful {
		options = append(options, grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 2 * lossTime, Timeout: lossTime}),
			grpc.WithConnectParams(grpc.ConnectParams{Backoff: backoff.DefaultConfig, MinConnectTimeout: connectTime}))
	}
	if c.dial != nil {
		options = append(options, grpc.WithContextDialer(func(ctx context.Context, address string) (net.Conn, error) {
			return c.dial(ctx, "tcp", address)
		}))
	}
	return grpc.NewClient(address+":9000", options...)
}

// startLoad has clients send requests to a Service until the load is ended.
func startLoad(t *testing.T, address string, of clients) *load {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	l := &load{stop: stop}
	const each = 2
	every := time.Second / time.Duration(of.rate)
	for range each {
		conn, err := of.grpc(address)
		require.NoError(t, err)
		t.Cleanup(func() { _ = conn.Close() })
		l.start(ctx, grpcLong, every*each, overGRPC(conn))

		transport := of.transport()
		transport.MaxConnsPerHost = of.connections
		t.Cleanup(transport.CloseIdleConnections)
		over := overHTTP
		if of.connections > 0 {
			over = overBoundHTTP
		}
		l.start(ctx, httpLong, every*each, over(&http.Client{Transport: transport}, address))
	}
	l.start(ctx, grpcNew, every, func(ctx context.Context) (string, error) {
		conn, err := of.grpc(address)
		if err != nil {
			return "", err
		}
		defer conn.Close()
		return overGRPC(conn)(ctx)
	})
	alone := of.transport()
	alone.DisableKeepAlives = true
	l.start(ctx, httpNew, every, overHTTP(&http.Client{Transport: alone}, address))
	t.Cleanup(func() { l.end() })
	return l
}

func (l *load) start(ctx context.Context, kind string, every time.Duration, c call) {
	l.callers.Go(func() {
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				l.callers.Go(func() { l.enter(kind, c) })
			}
		}
	})
}

func (l *load) enter(kind string, c call) {
	ctx, cancel := context.WithTimeout(context.Background(), requestTimeout+margin)
	defer cancel()
	r := result{kind: kind, begun: time.Now()}
	r.version, r.err = c(ctx)
	r.took = time.Since(r.begun)
	l.mu.Lock()
	defer l.mu.Unlock()
	if errors.Is(r.err, errNotSent) {
		l.notSent++
		return
	}
	if r.err != nil {
		r.lost = reason(r.err)
	}
	l.results = append(l.results, r)
}

// end stops the load, waits until each request has ended and returns what became
// of them.
func (l *load) end() []result {
	l.stop()
	l.callers.Wait()
	return l.results
}

// since returns the results of requests begun from an instant on, so far.
func (l *load) since(begin time.Time) []result {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(l.results), func(r result) bool { return r.begun.Before(begin) })
}

// steady waits until the requests of a whole second are all answered.
func (l *load) steady(p place) {
	p.t.Helper()
	p.Eventually(func() error {
		now := time.Now()
		last := l.since(now.Add(-2 * time.Second))
		last = slices.DeleteFunc(last, func(r result) bool { return r.begun.After(now.Add(-time.Second)) })
		for _, r := range last {
			if r.err != nil {
				return r.err
			}
		}
		if len(last) == 0 {
			return errors.New("no request was answered in a second")
		}
		return nil
	})
}

func overGRPC(conn *grpc.ClientConn) call {
	return func(ctx context.Context) (string, error) {
		out := &node.Reply{}
		err := conn.Invoke(ctx, rpc, &node.Request{}, out)
		return out.GetText(), err
	}
}

// statusError is an answer over HTTP that is none.
type statusError struct {
	status int
	body   []byte
}

func (s *statusError) Error() string { return fmt.Sprintf("HTTP %d: %s", s.status, s.body) }

// errNotSent is the end of a request that waited for one of its client's few connections: those that had
// them were too slow, and tell why.
var errNotSent = errors.New("no connection was free")

// overBoundHTTP is overHTTP for a client with a bound on its connections.
func overBoundHTTP(client *http.Client, address string) call {
	c := overHTTP(client, address)
	return func(ctx context.Context) (string, error) {
		var connected atomic.Bool
		answer, err := c(httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
			ConnectStart: func(string, string) { connected.Store(true) },
			GotConn:      func(httptrace.GotConnInfo) { connected.Store(true) },
		}))
		if err != nil && !connected.Load() {
			err = fmt.Errorf("%w: %w", errNotSent, err)
		}
		return answer, err
	}
}

func overHTTP(client *http.Client, address string) call {
	return func(ctx context.Context) (string, error) {
		request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+address+rpc, bytes.NewReader([]byte("{}")))
		if err != nil {
			return "", err
		}
		request.Header.Set("Content-Type", "application/json")
		response, err := client.Do(request)
		if err != nil {
			return "", err
		}
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		if err != nil {
			return "", err
		}
		if response.StatusCode != http.StatusOK {
			return "", &statusError{response.StatusCode, body}
		}
		var answer struct{ Text string }
		err = json.Unmarshal(body, &answer)
		return answer.Text, err
	}
}

// reason is why a request is lost, in a word or two.
func reason(err error) string {
	var answered *statusError
	var network *net.OpError
	switch {
	case errors.As(err, &answered):
		return fmt.Sprintf("HTTP %d", answered.status)
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused"
	case errors.Is(err, syscall.EHOSTUNREACH):
		return "host unreachable"
	case errors.As(err, &network) && network.Op == "dial": // for which its client has a time of its own
		return "dial failed"
	case errors.Is(err, context.DeadlineExceeded):
		return "no answer"
	case errors.Is(err, syscall.ETIMEDOUT):
		return "connection timed out"
	case errors.Is(err, syscall.ECONNRESET):
		return "connection reset"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "connection closed"
	case errors.As(err, &network):
		return network.Op + " failed"
	}
	if s, ok := status.FromError(err); ok {
		return s.Code().String()
	}
	return "other"
}
