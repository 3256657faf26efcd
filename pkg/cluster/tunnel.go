package cluster

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/httpstream"
	"k8s.io/client-go/tools/portforward"
)

const (
	// tunnelSilence is how long a pod may send nothing over a connection: followed requests
	// come with a sign of life every 15 seconds.
	tunnelSilence = time.Minute
	// reasonTime is how long the reason may take after a connection has ended.
	reasonTime = time.Second
	// maxReason bounds the text of it, in bytes.
	maxReason = 4 << 10
)

// tunnel leads to the ports of one pod, through the API server as a port-forward does. Unlike
// with a [Forward], nobody else on this machine can use it, and it is known why a connection
// failed.
type tunnel struct {
	streams httpstream.Connection
	opened  atomic.Int64
}

// errTunnel is the error of a tunnel that is not there in time.
var errTunnel = fmt.Errorf("no connection within %v: %w", RequestTimeout, context.DeadlineExceeded)

// openTunnel opens a tunnel to a pod. Its error is not explained.
func (c *Client) openTunnel(ctx context.Context, pod string) (*tunnel, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, RequestTimeout, errTunnel)
	defer cancel()
	dialer, err := c.podDialer(ctx, c.namespace, pod)
	if err != nil {
		return nil, err
	}
	opened := make(chan *tunnel)
	failed := make(chan error, 1)
	go func() {
		streams, _, err := dialer.Dial(portforward.PortForwardProtocolV1Name)
		if err != nil {
			failed <- err
			return
		}
		select {
		case opened <- &tunnel{streams: streams}:
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

// close ends the tunnel, and with it its connections.
func (t *tunnel) close() { _ = t.streams.Close() }

// client returns an HTTP client whose requests all go to a port of the pod.
func (t *tunnel) client(port int) *http.Client {
	return &http.Client{Transport: tunnelTransport{&http.Transport{
		DialContext: func(context.Context, string, string) (net.Conn, error) { return t.dial(port) },
	}}}
}

// tunnelTransport returns the pod's reason as it is: package http puts words of its own before
// it, depending on which of its goroutines reads it first.
type tunnelTransport struct{ *http.Transport }

// RoundTrip implements http.RoundTripper.
func (t tunnelTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := t.Transport.RoundTrip(r)
	if port := (*portError)(nil); errors.As(err, &port) {
		return nil, port
	}
	return response, err
}

// dial opens a connection to a port of the pod: a stream for data, and one on which the pod's
// machine reports what went wrong.
func (t *tunnel) dial(port int) (net.Conn, error) {
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
	c := &tunnelConn{Stream: data, tunnel: t, reasons: reasons, ended: make(chan struct{})}
	go c.readReason()
	return c, nil
}

// portError is why the pod's machine could not connect to the port.
type portError struct{ reason string }

func (e *portError) Error() string { return e.reason }

// refused reports that nothing listens at the port.
func (e *portError) refused() bool { return strings.Contains(e.reason, "connection refused") }

// tunnelConn is a connection to a port of a pod.
type tunnelConn struct {
	httpstream.Stream

	tunnel  *tunnel
	reasons httpstream.Stream
	ended   chan struct{} // closed once reason is known
	reason  error         // why the connection failed, or nil
}

func (c *tunnelConn) readReason() {
	defer close(c.ended)
	text, _ := io.ReadAll(io.LimitReader(c.reasons, maxReason))
	if len(text) > 0 {
		c.reason = &portError{strings.ToValidUTF8(string(text), "")}
	}
}

// Read reads from the port. The error at the end is the reason, if there is one.
func (c *tunnelConn) Read(b []byte) (int, error) {
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
func (c *tunnelConn) Close() error {
	err := c.Reset()
	_ = c.reasons.Reset()
	c.tunnel.streams.RemoveStreams(c.Stream, c.reasons)
	return err
}

// LocalAddr and RemoteAddr are the same: there is no address.
func (c *tunnelConn) LocalAddr() net.Addr { return tunnelAddr{} }

// RemoteAddr is like LocalAddr.
func (c *tunnelConn) RemoteAddr() net.Addr { return tunnelAddr{} }

// SetDeadline does nothing, nor do the others: HTTP closes a connection that takes too long.
func (c *tunnelConn) SetDeadline(time.Time) error { return nil }

// SetReadDeadline is like SetDeadline.
func (c *tunnelConn) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline is like SetDeadline.
func (c *tunnelConn) SetWriteDeadline(time.Time) error { return nil }

// tunnelAddr is the address of a connection in a tunnel.
type tunnelAddr struct{}

// Network is the kind of the address.
func (tunnelAddr) Network() string { return "tunnel" }

// String is the address.
func (tunnelAddr) String() string { return "pod" }
