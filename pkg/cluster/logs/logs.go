// Package logs reads and follows the logs of a version's pods: what they have logged until
// now in the order of time, or what they log from now on, whatever becomes of pods, containers
// and connections.
package logs

import (
	"context"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"krt.dev/kn-krt/pkg/logline"
	"krt.dev/kn-krt/pkg/render"
)

// Entrypoint is what the entrypoint of a version is called among its nodes. No node can
// have the name (KRT V1, reserved names).
const Entrypoint = "entrypoint"

// Cluster is where the logs are read.
type Cluster struct {
	// Kube lists and watches pods.
	Kube client.WithWatch
	// Config has address and credentials for reading logs.
	Config *rest.Config
	// Namespace is that of the version.
	Namespace string
	// Timeout is how long a log that is not followed may be silent before its end.
	Timeout time.Duration
	// Explain makes an error of what the API server or the network returned, and what failed.
	Explain func(err error, doing string) error
}

// MaxStreams is how many pods' logs are read at a time. Each takes a connection or a
// stream of one, and memory for one line.
const MaxStreams = 256

// maxOpening is how many of them are opened at a time: an API server that is asked for all
// at once responds to none for a while.
const maxOpening = 16

// Query selects lines of a version's logs. The zero value selects all.
type Query struct {
	// Nodes are the nodes whose logs are read, by name, or [Entrypoint]; none for all.
	Nodes []string
	// Workflow selects the lines about one workflow; only structured lines name one.
	Workflow string
	// Since, if more than 0, leaves out lines that are older than that when the log is
	// opened. It is rounded up to whole seconds.
	Since time.Duration
	// Tail, if not nil, is how many of the last lines are read of each pod that is running
	// already.
	Tail *int64
}

// wants reports whether the line is about the workflow that is wanted.
func (q *Query) wants(l *logline.Line) bool {
	return q.Workflow == "" || l.Workflow() == q.Workflow
}

// Handler receives lines and errors of logs. Its functions are called one at a time, and
// not after the method that they were given to has returned. While one runs nothing more is
// read, so that a slow one needs no memory. One that is nil is not called.
type Handler struct {
	// Line receives each line.
	Line func(logline.Line)
	// Failed receives the error of one pod's log. The logs of other pods are not affected.
	Failed func(*Error)
}

func (h Handler) line(l logline.Line) {
	if h.Line != nil {
		h.Line(l)
	}
}

func (h Handler) failed(e *Error) {
	if h.Failed != nil {
		h.Failed(e)
	}
}

// Error is why the log of one pod cannot be read, or broke off.
type Error struct {
	Node, Pod string
	// Retrying is set while the log is being opened again; it continues after the last line
	// that was received. Otherwise nothing is tried until the pod changes.
	Retrying bool
	// Err is an explained error about the request, or about why its response broke off.
	Err error
}

// Error names node and pod, and the cause.
func (e *Error) Error() string { return e.Err.Error() }

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }

// errTooManyLogs is the cause of an error for each pod beyond [MaxStreams].
var errTooManyLogs = fmt.Errorf("the logs of %d other pods are being read", MaxStreams)

// Sources are the pods of a version whose logs are wanted.
type Sources struct {
	// Ready is how many pods have a log, Waiting how many have none yet because their
	// container has not started.
	Ready, Waiting int
}

// Read reads what the pods of a version have logged until now, in the order of time, and
// returns when all is read. Its error is ctx's, or an explained one: the pods cannot be
// listed, or their logs may not be read.
func Read(ctx context.Context, from Cluster, version string, q Query, to Handler) (Sources, error) {
	s, err := newLogs(from, version, q)
	if err != nil {
		return Sources{}, err
	}
	pods, err := s.list(ctx)
	if err != nil {
		return Sources{}, err
	}
	var found Sources
	var ready []*podLog
	for i := range pods.Items {
		p := s.open(&pods.Items[i])
		switch {
		case p == nil:
		case !stateOf(&pods.Items[i], p.container).readable:
			found.Waiting++
		case found.Ready == MaxStreams:
			to.failed(p.failed(errTooManyLogs, false))
		default:
			found.Ready++
			ready = append(ready, p)
		}
	}
	return found, s.merge(ctx, ready, to)
}

// logs is what the log streams of a version share.
type logs struct {
	Cluster

	version string
	query   Query
	pods    corev1client.PodInterface
	opening chan struct{} // has an element for each log that is being opened
}

func newLogs(from Cluster, version string, q Query) (*logs, error) {
	core, err := corev1client.NewForConfig(from.Config)
	if err != nil {
		return nil, from.Explain(err, "cannot read logs")
	}
	return &logs{Cluster: from, version: version, query: q, pods: core.Pods(from.Namespace), opening: make(chan struct{}, maxOpening)}, nil
}

// list returns the pods of the version's nodes and entrypoint.
func (s *logs) list(ctx context.Context) (*corev1.PodList, error) {
	pods := &corev1.PodList{}
	if err := s.Kube.List(ctx, pods, s.ofVersion()...); err != nil {
		return nil, s.Explain(err, fmt.Sprintf("cannot list the pods of version %q", s.version))
	}
	return pods, nil
}

// ofVersion are the options of a list of the version's pods.
func (s *logs) ofVersion() []client.ListOption {
	return []client.ListOption{client.InNamespace(s.Namespace), client.MatchingLabels{render.LabelVersion: s.version}}
}

// open returns the log of a pod, from which nothing is read yet; nil if it is not wanted.
func (s *logs) open(pod *corev1.Pod) *podLog {
	if len(pod.Spec.Containers) == 0 {
		return nil
	}
	// The container next to a node's is Knative's own.
	node, container := pod.Labels[render.LabelNode], "user-container"
	if node == "" {
		node, container = Entrypoint, pod.Spec.Containers[0].Name
	}
	if len(s.query.Nodes) > 0 && !slices.Contains(s.query.Nodes, node) {
		return nil
	}
	return &podLog{logs: s, node: node, pod: pod.Name, container: container}
}
