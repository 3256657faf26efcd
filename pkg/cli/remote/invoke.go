package remote

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/httpstream"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/transport/spdy"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/cli/term"
	"krt.dev/kn-krt/pkg/cluster"
	"krt.dev/kn-krt/pkg/render"
)

// entrypointPort is where an entrypoint's pod takes gRPC (KRT V1).
const entrypointPort = 9000

// Versions is how invoke reaches the versions of a cluster: it implements [call.Cluster].
type Versions struct{}

// Flags gives cmd the flag -n.
func (Versions) Flags(cmd *cobra.Command) { NamespaceFlag(cmd) }

// Named reports whether a flag that names a place on a cluster was given.
func (Versions) Named(cmd *cobra.Command) bool {
	for _, name := range append(globalFlags(), "namespace") {
		if f := cmd.Flag(name); f != nil && f.Changed {
			return true
		}
	}
	return false
}

// Reach forwards a port of this machine to the entrypoint of the version, or of the
// published one.
func (Versions) Reach(cmd *cobra.Command, version string) (address string, release func(), err error) {
	ctx := cmd.Context()
	c, err := Connect(cmd)
	if err != nil {
		return "", nil, err
	}
	if version == "" {
		if version, err = c.published(ctx); err != nil {
			return "", nil, err
		}
	}
	v, err := c.version(ctx, version)
	if err != nil {
		return "", nil, err
	}
	pod, err := c.entrypointPod(ctx, v)
	if err != nil {
		return "", nil, err
	}
	forward, err := c.forward(ctx, pod)
	if err != nil {
		return "", nil, c.Explain(err, fmt.Sprintf("cannot reach the entrypoint of version %q", version))
	}
	return forward.address, forward.close, nil
}

// Complete suggests versions, then the workflows of the one that is named.
func (Versions) Complete(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	if len(args) == 0 {
		return completeVersions(1)(cmd, args, typed)
	}
	return completeParts(versionWorkflows)(cmd, args, typed)
}

// published is the version that is published in the namespace.
func (c *Cluster) published(ctx context.Context) (string, error) {
	r, err := c.runtime(ctx)
	if err != nil {
		return "", err
	}
	if r == nil || r.Status.PublishedVersion == "" {
		return "", term.FailAs(term.ExitNotFound, fmt.Errorf("no version is published in namespace %q", c.Namespace),
			"Name the version: '%s'.", c.command("invoke VERSION WORKFLOW"))
	}
	return r.Status.PublishedVersion, nil
}

// entrypointPod is a ready pod of the version's entrypoint.
func (c *Cluster) entrypointPod(ctx context.Context, v *v1alpha1.Version) (string, error) {
	var pods corev1.PodList
	if err := c.List(ctx, &pods, c.in(), client.MatchingLabels{render.LabelVersionName: render.EntrypointName(v.Name)}); err != nil {
		return "", c.Explain(err, fmt.Sprintf("cannot find the entrypoint of version %q", v.Name))
	}
	for i := range pods.Items {
		if podReady(&pods.Items[i]) {
			return pods.Items[i].Name, nil
		}
	}
	if v.WantedState() != v1alpha1.StateStarted {
		return "", term.WithHint(fmt.Errorf("version %q does not answer: it is stopped", v.Name), "Start it with '%s'.", c.command("start %s", v.Name))
	}
	return "", term.WithHint(fmt.Errorf("version %q does not answer: %s", v.Name, cmp.Or(cluster.Readiness(v).String(), "its entrypoint has no pod that is ready")),
		"Look with '%s'.", c.command("describe %s", v.Name))
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

// forwarding is a port of this machine that leads to a pod.
type forwarding struct {
	address string
	stop    chan struct{}
	ended   chan struct{}
	err     error // why it ended; set before ended is closed
}

// forward leads a free port of 127.0.0.1 to the pod's gRPC port, through the
// apiserver as kubectl port-forward does.
func (c *Cluster) forward(ctx context.Context, pod string) (*forwarding, error) {
	dialer, err := c.podDialer(pod)
	if err != nil {
		return nil, err
	}
	f := &forwarding{stop: make(chan struct{}), ended: make(chan struct{})}
	ready := make(chan struct{})
	ports := []string{fmt.Sprintf("0:%d", entrypointPort)}
	forwarder, err := portforward.NewOnAddresses(dialer, []string{"127.0.0.1"}, ports, f.stop, ready, io.Discard, io.Discard)
	if err != nil {
		return nil, err
	}
	go func() {
		defer close(f.ended)
		f.err = forwarder.ForwardPorts()
	}()
	select {
	case <-ready:
	case <-f.ended:
		return nil, cmp.Or(f.err, errors.New("the apiserver ended the forwarding"))
	case <-ctx.Done():
		close(f.stop)
		return nil, ctx.Err()
	}
	forwarded, err := forwarder.GetPorts()
	if err != nil {
		f.close()
		return nil, err
	}
	f.address = fmt.Sprintf("127.0.0.1:%d", forwarded[0].Local)
	return f, nil
}

// podDialer opens streams to a pod: by WebSocket, or by SPDY where the apiserver,
// or a proxy before it, knows no other.
func (c *Cluster) podDialer(pod string) (httpstream.Dialer, error) {
	host, _, err := rest.DefaultServerUrlFor(c.Config)
	if err != nil {
		return nil, err
	}
	at := &url.URL{Scheme: host.Scheme, Host: host.Host, Path: strings.TrimSuffix(host.Path, "/") +
		fmt.Sprintf("/api/v1/namespaces/%s/pods/%s/portforward", c.Namespace, pod)}
	transport, upgrader, err := spdy.RoundTripperFor(c.Config)
	if err != nil {
		return nil, err
	}
	older := spdy.NewDialer(upgrader, &http.Client{Transport: transport}, http.MethodPost, at)
	newer, err := portforward.NewSPDYOverWebsocketDialer(at, c.Config)
	if err != nil {
		return nil, err
	}
	return portforward.NewFallbackDialer(newer, older, func(err error) bool {
		return httpstream.IsUpgradeFailure(err) || httpstream.IsHTTPSProxyError(err)
	}), nil
}

// close ends the forwarding and waits until it has ended.
func (f *forwarding) close() {
	close(f.stop)
	<-f.ended
}
