package cluster

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/httpstream"
	"k8s.io/client-go/tools/portforward"

	"krt.dev/kn-krt/pkg/cluster/tunnel"
)

// Ports of an entrypoint's pod.
const (
	GRPCPort = 9000 // gRPC (KRT V1)
	WebPort  = 8080 // HTTP
)

// UnavailableError is returned when no pod of a version's entrypoint is ready.
type UnavailableError struct {
	Version string
	// Stopped is set if the version is stopped.
	Stopped bool
	// Why is the message of the version's condition Ready; "" without one.
	Why string
}

// Error is why the version is not available.
func (e *UnavailableError) Error() string {
	why := cmp.Or(e.Why, "no pod of its entrypoint is ready")
	if e.Stopped {
		why = "it is stopped"
	}
	return fmt.Sprintf("version %q is not available: %s", e.Version, why)
}

// Forward is a port of this machine that is forwarded to one pod of an entrypoint: when that ends, so does it.
type Forward struct {
	// Address is host and port to connect to.
	Address string

	cancel context.CancelFunc
	ended  chan struct{}
	err    error // why it ended; set before ended is closed
}

// Forward forwards a free port of 127.0.0.1 to a port of a ready pod of the named
// version's entrypoint, through the API server as kubectl port-forward does, until it is
// closed or ctx ends. If no pod is ready its error is an [*UnavailableError].
func (c *Client) Forward(ctx context.Context, version string, port int) (*Forward, error) {
	pods, err := c.entrypointPods(ctx, version)
	if err != nil {
		return nil, err
	}
	f, err := c.forward(ctx, c.namespace, pods[0], port)
	if err != nil {
		return nil, c.explain(err, fmt.Sprintf("cannot reach the entrypoint of version %q", version))
	}
	return f, nil
}

// Done returns a channel that is closed once the forwarding has ended.
func (f *Forward) Done() <-chan struct{} { return f.ended }

// Err is why the forwarding has ended; nil before that, and if it was closed.
func (f *Forward) Err() error {
	select {
	case <-f.ended:
		return f.err
	default:
		return nil
	}
}

// Close ends the forwarding, and with it its connections.
func (f *Forward) Close() {
	f.cancel()
	<-f.ended
}

func podReady(p *corev1.Pod) bool {
	if p.DeletionTimestamp != nil {
		return false
	}
	for _, condition := range p.Status.Conditions {
		if condition.Type == corev1.PodReady {
			return condition.Status == corev1.ConditionTrue
		}
	}
	return false
}

func (c *Client) forward(ctx context.Context, namespace, pod string, port int) (*Forward, error) {
	inner, err := tunnel.Dialer(ctx, c.config, namespace, pod)
	if err != nil {
		return nil, err
	}
	dialer := &recordingDialer{Dialer: inner}
	ctx, cancel := context.WithCancel(ctx)
	f := &Forward{cancel: cancel, ended: make(chan struct{})}
	ready := make(chan struct{})
	ports := []string{fmt.Sprintf("0:%d", port)}
	forwarder, err := portforward.NewOnAddresses(dialer, []string{"127.0.0.1"}, ports, ctx.Done(), ready, io.Discard, io.Discard)
	if err != nil {
		cancel()
		return nil, err
	}
	go func() {
		defer close(f.ended)
		f.err = forwarder.ForwardPorts()
	}()
	select {
	case <-ready:
	case <-f.ended:
		defer cancel()
		return nil, cmp.Or(ctx.Err(), dialer.err, f.err, errors.New("the API server ended the port-forward"))
	case <-ctx.Done():
		defer cancel()
		return nil, ctx.Err()
	}
	forwarded, err := forwarder.GetPorts()
	if err != nil {
		f.Close()
		return nil, err
	}
	f.Address = fmt.Sprintf("127.0.0.1:%d", forwarded[0].Local)
	return f, nil
}

// recordingDialer keeps why it failed: client-go's port-forward keeps only the text of it.
type recordingDialer struct {
	httpstream.Dialer

	err error
}

func (d *recordingDialer) Dial(protocols ...string) (httpstream.Connection, string, error) {
	connection, protocol, err := d.Dialer.Dial(protocols...)
	d.err = err
	return connection, protocol, err
}
