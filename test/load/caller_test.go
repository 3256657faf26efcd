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
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

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
	callers sync.WaitGroup
	stop    context.CancelFunc
}

// startLoad sends that many requests a second of each kind to a Service. Clients
// are what a program has that knows nothing of us: grpc-go and net/http as they
// are by default, without a retry policy. What they try again by themselves
// (requests that the server has surely not seen) is not lost; all else that does
// not bring an answer is.
// Each HTTP client with keep-alive has at most that many connections, 0 for no bound.
func startLoad(t *testing.T, address string, rate, httpConnections int) *load {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	l := &load{stop: stop}
	const connections = 2
	for range connections {
		conn, err := grpc.NewClient(address+":9000", grpc.WithTransportCredentials(insecure.NewCredentials()))
		require.NoError(t, err)
		t.Cleanup(func() { _ = conn.Close() })
		l.start(ctx, grpcLong, time.Second*connections/time.Duration(rate), overGRPC(conn))

		transport := &http.Transport{MaxConnsPerHost: httpConnections, MaxIdleConnsPerHost: 1024}
		t.Cleanup(transport.CloseIdleConnections)
		l.start(ctx, httpLong, time.Second*connections/time.Duration(rate), overHTTP(&http.Client{Transport: transport}, address))
	}
	l.start(ctx, grpcNew, time.Second/time.Duration(rate), func(ctx context.Context) (string, error) {
		conn, err := grpc.NewClient(address+":9000", grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			return "", err
		}
		defer conn.Close()
		return overGRPC(conn)(ctx)
	})
	alone := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	l.start(ctx, httpNew, time.Second/time.Duration(rate), overHTTP(alone, address))
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
	if r.err != nil {
		r.lost = reason(r.err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
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
	case errors.Is(err, context.DeadlineExceeded):
		return "no answer"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused"
	case errors.Is(err, syscall.EHOSTUNREACH):
		return "host unreachable"
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
