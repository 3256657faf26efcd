package traffic

import (
	"context"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/keepalive"

	"krt.dev/kn-krt/pkg/entrypoint/httpclient"
)

const (
	// connectTime is the default of Options.ConnectTime, and how long one request alone tries to connect.
	connectTime = time.Second
	// lossTime bounds the time for which what was sent is not acknowledged: after it the published
	// version serves the request.
	lossTime = 5 * time.Second
	// grpcConnections is how many connections there are to the gRPC port: each is to one of the
	// canary's pods, until that retires it.
	grpcConnections = 4
	// maxIdle is how many connections to the web port are kept, each for idleTime, which is less
	// than the canary keeps them.
	maxIdle  = 256
	idleTime = 30 * time.Second
	// maxHeaderBytes bounds the header of a response.
	maxHeaderBytes = 128 << 10
)

// peer are the connections to a canary's entrypoint. They are closed when the last of their
// references is released: there is one while they are in force, and one for each request.
type peer struct {
	refs    atomic.Int64
	grpc    []*grpc.ClientConn
	next    atomic.Uint32
	web     *http.Transport
	http2   *http.Transport // for gRPC on the web port, which has trailers
	address string          // of the web port
	limit   time.Duration   // of a try to connect, and of a request's wait for one
	circuit circuit         // of the web port; gRPC has its own
}

func newPeer(grpcAddress, webAddress string, maxMessageBytes int, limit time.Duration) *peer {
	p := &peer{address: webAddress, limit: limit}
	p.refs.Store(1)
	dialer := &net.Dialer{Timeout: limit, Control: httpclient.LimitLoss(lossTime), KeepAliveConfig: net.KeepAliveConfig{
		Enable: true, Idle: 15 * time.Second, Interval: 5 * time.Second, Count: 3,
	}}
	for range grpcConnections {
		// The name is resolved with each try to connect, which finds a pod that is new at once.
		c, err := grpc.NewClient("passthrough:///"+grpcAddress,
			grpc.WithTransportCredentials(insecure.NewCredentials()),
			grpc.WithContextDialer(func(ctx context.Context, to string) (net.Conn, error) { return dialer.DialContext(ctx, "tcp", to) }),
			grpc.WithConnectParams(grpc.ConnectParams{
				Backoff:           backoff.Config{BaseDelay: firstPause, Multiplier: 2, Jitter: 0.2, MaxDelay: longestPause},
				MinConnectTimeout: limit,
			}),
			grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 15 * time.Second, Timeout: lossTime, PermitWithoutStream: true}),
			grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessageBytes), grpc.ForceCodecV2(raw{encoding.GetCodecV2("proto")})),
			grpc.WithMaxHeaderListSize(maxHeaderBytes),
			grpc.WithDisableServiceConfig(), grpc.WithDisableRetry(), grpc.WithNoProxy(), grpc.WithIdleTimeout(0),
		)
		if err == nil { // it is one for options that contradict each other only
			c.Connect()
			p.grpc = append(p.grpc, c)
		}
	}
	p.web = newTransport(dialer)
	p.http2 = newTransport(dialer)
	p.http2.Protocols = new(http.Protocols)
	p.http2.Protocols.SetUnencryptedHTTP2(true)
	return p
}

func newTransport(dialer *net.Dialer) *http.Transport {
	return &http.Transport{
		DialContext: dialer.DialContext, MaxIdleConnsPerHost: maxIdle, IdleConnTimeout: idleTime,
		DisableCompression: true, MaxResponseHeaderBytes: maxHeaderBytes,
	}
}

// acquire takes a reference, unless the last has been released.
func (p *peer) acquire() bool {
	for n := p.refs.Load(); n > 0; n = p.refs.Load() {
		if p.refs.CompareAndSwap(n, n+1) {
			return true
		}
	}
	return false
}

func (p *peer) release() {
	if p.refs.Add(-1) > 0 {
		return
	}
	for _, c := range p.grpc {
		_ = c.Close()
	}
	p.web.CloseIdleConnections()
	p.http2.CloseIdleConnections()
}

// connection returns a connection to the gRPC port that is ready. It waits for one for a moment
// if there may be one soon, and returns nil if there is none.
func (p *peer) connection(ctx context.Context) *grpc.ClientConn {
	var soon *grpc.ClientConn
	first := int(p.next.Add(1))
	for i := range p.grpc {
		c := p.grpc[(first+i)%len(p.grpc)]
		switch c.GetState() {
		case connectivity.Ready:
			return c
		case connectivity.Idle:
			c.Connect()
			soon = c
		case connectivity.Connecting:
			soon = c
		}
	}
	if soon == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, p.patience(ctx, 0))
	defer cancel()
	for {
		switch state := soon.GetState(); {
		case state == connectivity.Ready:
			return soon
		case state == connectivity.TransientFailure, !soon.WaitForStateChange(ctx, state):
			return nil
		}
	}
}

// patience is how long a request waits for a connection: it must leave time for the published
// version. The deadline of ctx is some spare time later than the client's.
func (p *peer) patience(ctx context.Context, spare time.Duration) time.Duration {
	deadline, ok := ctx.Deadline()
	if !ok {
		return p.limit
	}
	return min(p.limit, (time.Until(deadline)-spare)/4)
}

// The pause after a failed try to connect doubles from the first to the longest.
const (
	firstPause   = 200 * time.Millisecond
	longestPause = 2 * time.Second
)

// circuit lets one request try after each pause while no connection can be made, so that the others
// need not wait.
type circuit struct {
	failures atomic.Int32
	until    atomic.Int64 // Unix time in nanoseconds
}

// open reports whether a request may not try.
func (c *circuit) open(now time.Time) bool {
	until := c.until.Load()
	switch {
	case until == 0:
		return false
	case now.UnixNano() < until:
		return true
	}
	return !c.until.CompareAndSwap(until, now.Add(connectTime).UnixNano()) // another one tries
}

func (c *circuit) fail(now time.Time) {
	pause := min(firstPause<<min(c.failures.Add(1)-1, 8), longestPause)
	c.until.Store(now.Add(pause).UnixNano())
}

func (c *circuit) succeed() {
	if c.until.Load() != 0 {
		c.failures.Store(0)
		c.until.Store(0)
	}
}
