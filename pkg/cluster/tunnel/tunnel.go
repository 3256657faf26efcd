// Package tunnel reaches the ports of pods through the API server, as port-forwards do.
package tunnel

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/httpstream"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/transport/spdy"
)

const (
	// tunnelSilence is how long a pod may send nothing over a connection: followed requests
	// come with a sign of life every 15 seconds.
	tunnelSilence = time.Minute
	// openTime is how long it may take to open a tunnel.
	openTime = 30 * time.Second
	// reasonTime is how long the reason may take after a connection has ended.
	reasonTime = time.Second
	// maxReason bounds the text of it, in bytes.
	maxReason = 4 << 10
)

// Tunnel leads to the ports of one pod. Unlike with a forwarded port, nobody else on this machine can
// use it, and it is known why a connection failed.
type Tunnel struct {
	streams httpstream.Connection
	opened  atomic.Int64
}

// errTunnel is the error of a tunnel that is not there in time.
var errTunnel = fmt.Errorf("no connection within %v: %w", openTime, context.DeadlineExceeded)

// Open opens a tunnel to a pod of the API server's namespace. A pod that is not there in time is an
// error that wraps [context.DeadlineExceeded].
func Open(ctx context.Context, to *rest.Config, namespace, pod string) (*Tunnel, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, openTime, errTunnel)
	defer cancel()
	dialer, err := Dialer(ctx, to, namespace, pod)
	if err != nil {
		return nil, err
	}
	opened := make(chan *Tunnel)
	failed := make(chan error, 1)
	go func() {
		streams, _, err := dialer.Dial(portforward.PortForwardProtocolV1Name)
		if err != nil {
			failed <- err
			return
		}
		select {
		case opened <- &Tunnel{streams: streams}:
		case <-ctx.Done():
			_ = streams.Close()
		}
	}()
	select {
	case t := <-opened:
		return t, nil
	case err := <-failed:
		if errors.Is(err, os.ErrDeadlineExceeded) { // the connection's, which is that of ctx
			err = cmp.Or(context.Cause(ctx), errTunnel)
		}
		return nil, err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// Close ends the tunnel, and with it its connections.
func (t *Tunnel) Close() { _ = t.streams.Close() }

// Client returns an HTTP client whose requests all go to a port of the pod.
func (t *Tunnel) Client(port int) *http.Client {
	return &http.Client{Transport: transport{&http.Transport{
		DialContext: func(context.Context, string, string) (net.Conn, error) { return t.dial(port) },
	}}}
}

// transport returns the pod's reason as it is: package http puts words of its own before
// it, depending on which of its goroutines reads it first.
type transport struct{ *http.Transport }

// RoundTrip implements http.RoundTripper.
func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := t.Transport.RoundTrip(r)
	if port := (*PortError)(nil); errors.As(err, &port) {
		return nil, port
	}
	return response, err
}

// dial opens a connection to a port of the pod: a stream for data, and one on which the pod's
// machine reports what went wrong.
func (t *Tunnel) dial(port int) (net.Conn, error) {
	header := http.Header{}
	header.Set(corev1.StreamType, corev1.StreamTypeError)
	header.Set(corev1.PortHeader, strconv.Itoa(port))
	header.Set(corev1.PortForwardRequestIDHeader, strconv.FormatInt(t.opened.Add(1), 10))
	reasons, err := t.streams.CreateStream(header)
	if err != nil {
		return nil, err
	}
	_ = reasons.Close() // nothing is written there
	header.Set(corev1.StreamType, corev1.StreamTypeData)
	data, err := t.streams.CreateStream(header)
	if err != nil {
		t.streams.RemoveStreams(reasons)
		return nil, err
	}
	c := &conn{Stream: data, tunnel: t, reasons: reasons, ended: make(chan struct{})}
	go c.readReason()
	return c, nil
}

// PortError is why the pod's machine could not connect to the port.
type PortError struct{ reason string }

// Error is the reason.
func (e *PortError) Error() string { return e.reason }

// Refused reports that nothing listens at the port.
func (e *PortError) Refused() bool { return strings.Contains(e.reason, "connection refused") }

// conn is a connection to a port of a pod.
type conn struct {
	httpstream.Stream

	tunnel  *Tunnel
	reasons httpstream.Stream
	ended   chan struct{} // closed once reason is known
	reason  error         // why the connection failed, or nil
}

func (c *conn) readReason() {
	defer close(c.ended)
	text, _ := io.ReadAll(io.LimitReader(c.reasons, maxReason))
	if len(text) > 0 {
		c.reason = &PortError{strings.ToValidUTF8(string(text), "")}
	}
}

// Read reads from the port. The error at the end is the reason, if there is one.
func (c *conn) Read(b []byte) (int, error) {
	timer := time.AfterFunc(tunnelSilence, func() { _ = c.Reset() })
	n, err := c.Stream.Read(b)
	if !timer.Stop() {
		return n, cmp.Or(err, errors.New("the pod sent nothing for too long"))
	}
	if err == nil || n > 0 {
		return n, err
	}
	select {
	case <-c.ended:
		return 0, cmp.Or(c.reason, err)
	case <-time.After(reasonTime):
		return 0, err
	}
}

// Close ends the connection.
func (c *conn) Close() error {
	err := c.Reset()
	_ = c.reasons.Reset()
	c.tunnel.streams.RemoveStreams(c.Stream, c.reasons)
	return err
}

// LocalAddr and RemoteAddr are the same: there is no address.
func (c *conn) LocalAddr() net.Addr { return address{} }

// RemoteAddr is like LocalAddr.
func (c *conn) RemoteAddr() net.Addr { return address{} }

// SetDeadline does nothing, nor do the others: HTTP closes a connection that takes too long.
func (c *conn) SetDeadline(time.Time) error { return nil }

// SetReadDeadline is like SetDeadline.
func (c *conn) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline is like SetDeadline.
func (c *conn) SetWriteDeadline(time.Time) error { return nil }

// address is the address of a connection in a tunnel.
type address struct{}

// Network is the kind of the address.
func (address) Network() string { return "tunnel" }

// String is the address.
func (address) String() string { return "pod" }

// Dialer opens streams to a pod: by WebSocket, or by SPDY where the API server, or a
// proxy before it, knows no other. A dialer has no context: its requests have ctx, which ends
// what waits for a connection or, by its deadline, for the response to a WebSocket.
func Dialer(ctx context.Context, to *rest.Config, namespace, pod string) (httpstream.Dialer, error) {
	config := rest.CopyConfig(to)
	config.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return roundTrip(func(r *http.Request) (*http.Response, error) { return next.RoundTrip(r.WithContext(ctx)) })
	})
	host, _, err := rest.DefaultServerUrlFor(config)
	if err != nil {
		return nil, err
	}
	at := &url.URL{Scheme: host.Scheme, Host: host.Host, Path: strings.TrimSuffix(host.Path, "/") +
		fmt.Sprintf("/api/v1/namespaces/%s/pods/%s/portforward", namespace, pod)}
	sender, upgrader, err := spdy.RoundTripperFor(config)
	if err != nil {
		return nil, err
	}
	older := spdy.NewDialer(upgrader, &http.Client{Transport: sender}, http.MethodPost, at)
	newer, err := portforward.NewSPDYOverWebsocketDialer(at, config)
	if err != nil {
		return nil, err
	}
	return portforward.NewFallbackDialer(newer, older, func(err error) bool {
		return httpstream.IsUpgradeFailure(err) || httpstream.IsHTTPSProxyError(err)
	}), nil
}

// roundTrip is a function that sends a request.
type roundTrip func(*http.Request) (*http.Response, error)

// RoundTrip implements http.RoundTripper.
func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
