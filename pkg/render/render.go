// Package render turns a version and the cluster's settings into the Kubernetes and Knative
// objects that run it. Its functions are pure: the objects depend on the input and on
// nothing else. Owner references are added when the objects are applied.
package render

import (
	"errors"
	"fmt"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
)

const (
	// maxTimeout is the longest timeout: Knative refuses a revision's above
	// 600 s, and a node's is the entrypoint's plus nesting.
	maxTimeout = 590 * time.Second
	// nesting is by how much a step's timeout exceeds the entrypoint's, or that of its node.
	// Where a Sequence may be one nested call (see [channel.Kind]), the first step's timeout covers
	// all later steps, and must not end before the client's does.
	nesting = 5 * time.Second
)

// Object is any object of Kubernetes.
type Object interface {
	metav1.Object
	runtime.Object
}

// Input is all that the objects of a version depend on.
type Input struct {
	// Version is what is rendered; only its name, namespace and spec are read.
	Version *v1alpha1.Version
	// Settings are the cluster's.
	Settings Settings
	// SequenceSuffix ends the names of the Sequences; empty for a version's first ones.
	// A restart that changes them creates others next to them: [SequenceSuffix].
	SequenceSuffix string
	// EntrypointImage is the image of cmd/entrypoint.
	EntrypointImage string
	// Addresses are the observed URLs of Sequences by workflow. While one is missing, the
	// entrypoint has no ConfigMap and no Deployment.
	Addresses map[string]string
	// Channels are the kinds that the channels of Sequences have become, by workflow, where
	// their template leaves that to the cluster; see [channel.Became].
	Channels map[string]string
	// ConfigHash is a hash of the values in the Secret [ConfigName]; empty if there are none.
	ConfigHash string
	// ReplyKey identifies the key in the Secret [ReplySecretName]; empty without a cluster.
	ReplyKey string
	// StoreSecret is the name of the Secret with the version's credentials for the store;
	// empty without a store, or without a cluster.
	StoreSecret string
	// Abilities are those of the kn-krt that has started the version.
	v1alpha1.Abilities
	// Retries are the [AnnotationRetry] of nodes, by their names.
	Retries map[string]string
	// QueueSecret is the name of the Secret with the version's credentials for the queue; empty
	// without durable delivery, or without a cluster.
	QueueSecret string
	// Streams are the names of the workflows whose rpc returns a stream.
	Streams map[string]bool
	// Nodes is on how many nodes of the cluster pods can be scheduled. With more than one,
	// the replicas of an entrypoint are spread.
	Nodes int
}

// Objects returns all objects of a version in a stable order: the nodes' Knative
// Services, the workflows' Sequences, the entrypoint's objects. The labels of each name
// its component: [ComponentOf]. The error names every timeout out of bounds, every node
// without an image and every step that is not declared as a node, or says why the
// entrypoint's image or one of its files cannot be used.
func Objects(in Input) ([]Object, error) {
	if err := in.check(); err != nil {
		return nil, err
	}
	entrypoint, err := in.entrypoint()
	if err != nil {
		return nil, err
	}
	var objects []Object
	for _, n := range in.Version.Spec.Nodes {
		objects = append(objects, in.node(n))
	}
	for _, s := range in.sequences() {
		objects = append(objects, s)
	}
	return append(objects, entrypoint...), nil
}

// check reports why the objects cannot be rendered. The Version's schema has refused most of
// it before, but not what comes from settings.
func (in Input) check() error {
	if in.Version == nil {
		return errors.New("cannot render: there is no version")
	}
	var problems []error
	if t := in.timeout(); !allowed(t) {
		problems = append(problems, fmt.Errorf("entrypoint: timeout %s is not between 1ms and %s", t, maxTimeout))
	}
	if t := in.Settings.StreamTimeout; in.streams() && t+nesting > in.Settings.RevisionTimeout {
		problems = append(problems, fmt.Errorf("setting stream-timeout: %s is not at least %s less than revision-timeout, %s",
			t, nesting, in.Settings.RevisionTimeout))
	}
	if err := in.checkQueue(); err != nil {
		problems = append(problems, err)
	}
	if err := errors.Join(append(problems, in.checkNodes()...)...); err != nil {
		return fmt.Errorf("cannot render version %q: %w", in.Version.Name, err)
	}
	return nil
}

func (in Input) checkNodes() (problems []error) {
	var declared []string
	for _, n := range in.Version.Spec.Nodes {
		declared = append(declared, n.Name)
		if n.Timeout != nil && !allowed(n.Timeout.Duration) {
			problems = append(problems, fmt.Errorf("node %q: timeout %s is not between 1ms and %s",
				n.Name, n.Timeout.Duration, maxTimeout))
		}
		if n.Image == "" {
			problems = append(problems, fmt.Errorf("node %q: there is no image", n.Name))
		}
	}
	for _, w := range in.Version.Spec.Workflows {
		for _, step := range w.Sequential {
			if !slices.Contains(declared, step) {
				problems = append(problems, fmt.Errorf("workflow %q: node %q is not declared", w.Name, step))
			}
		}
	}
	return problems
}

func allowed(timeout time.Duration) bool { return timeout >= time.Millisecond && timeout <= maxTimeout }

// timeout is how long a client waits at most.
func (in Input) timeout() time.Duration {
	if t := in.Version.Spec.Entrypoint.Timeout; t != nil {
		return t.Duration
	}
	return in.Settings.Timeout
}

// background is how long work may continue after an early reply.
func (in Input) background() time.Duration {
	if t := in.Version.Spec.Entrypoint.BackgroundTimeout; t != nil {
		return t.Duration
	}
	return in.Settings.BackgroundTimeout
}

// limit is how long a client of any workflow waits at most for the end of its response.
func (in Input) limit() time.Duration {
	if in.streams() {
		return max(in.timeout(), in.Settings.StreamTimeout)
	}
	return in.timeout()
}

// longest is how long any work on one request may take.
func (in Input) longest() time.Duration { return max(in.limit(), in.background()) + nesting }

// direct reports whether the entrypoint calls the nodes itself.
func (in Input) direct() bool {
	return in.Version.Delivery() != v1alpha1.DeliverySequence
}

// meta is the metadata of an object of the version.
func (in Input) meta(object string, labels map[string]string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Name: object, Namespace: in.Version.Namespace, Labels: labels}
}

// url is the address inside the cluster of a Service of the version's namespace.
func (in Input) url(service string) string {
	return ServiceURL(service, in.Version.Namespace, in.Settings.ClusterDomain)
}

// seconds rounds up to whole seconds.
func seconds(d time.Duration) int64 { return int64((d + time.Second - 1) / time.Second) }
