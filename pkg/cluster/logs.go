package cluster

import (
	"context"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/cluster/logline"
	"krt.dev/kn-krt/pkg/krt/spelling"
	"krt.dev/kn-krt/pkg/render"
)

// Entrypoint is what the entrypoint of a version is called among its nodes. No node can
// have the name (KRT V1, reserved names).
const Entrypoint = "entrypoint"

// MaxLogStreams is how many pods' logs are read at a time. Each takes a connection or a
// stream of one, and memory for one line.
const MaxLogStreams = 256

// maxOpening is how many of them are opened at a time: an API server that is asked for all
// at once responds to none for a while.
const maxOpening = 16

// LogQuery selects lines of a version's logs. The zero value selects all.
type LogQuery struct {
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
func (q *LogQuery) wants(l *logline.Line) bool {
	return q.Workflow == "" || l.Field("workflow") == q.Workflow
}

// Check returns an [*UnknownNameError] for a node or workflow that the version does not have.
func (q *LogQuery) Check(v *v1alpha1.Version) error {
	known := []string{}
	for i := range v.Spec.Nodes {
		known = append(known, v.Spec.Nodes[i].Name)
	}
	known = append(known, Entrypoint)
	for _, name := range q.Nodes {
		if !slices.Contains(known, name) {
			return &UnknownNameError{Version: v.Name, Kind: "node", Name: name, Known: known}
		}
	}
	workflows := []string{}
	for i := range v.Spec.Workflows {
		workflows = append(workflows, v.Spec.Workflows[i].Name)
	}
	if q.Workflow != "" && !slices.Contains(workflows, q.Workflow) {
		return &UnknownNameError{Version: v.Name, Kind: "workflow", Name: q.Workflow, Known: workflows}
	}
	return nil
}

// UnknownNameError is returned for a node or workflow that a version does not have.
type UnknownNameError struct {
	Version string
	// Kind is "node" or "workflow".
	Kind string
	Name string
	// Known are the names that the version has.
	Known []string
}

// Error names what is unknown, and the name that was probably meant.
func (e *UnknownNameError) Error() string {
	return fmt.Sprintf("version %q has no %s %q%s", e.Version, e.Kind, e.Name, spelling.Hint(e.Name, e.Known))
}

// LogHandler receives lines and errors of logs. Its functions are called one at a time, and
// not after the method that they were given to has returned. While one runs nothing more is
// read, so that a slow one needs no memory. One that is nil is not called.
type LogHandler struct {
	// Line receives each line.
	Line func(logline.Line)
	// Failed receives the error of one pod's log. The logs of other pods are not affected.
	Failed func(*LogError)
}

func (h LogHandler) line(l logline.Line) {
	if h.Line != nil {
		h.Line(l)
	}
}

func (h LogHandler) failed(e *LogError) {
	if h.Failed != nil {
		h.Failed(e)
	}
}

// LogError is why the log of one pod cannot be read, or broke off.
type LogError struct {
	Node, Pod string
	// Retrying is set while the log is being opened again; it continues after the last line
	// that was received. Otherwise nothing is tried until the pod changes.
	Retrying bool
	// Err is an [*Error] about the request, or about why its response broke off.
	Err error
}

// Error names node and pod, and the cause.
func (e *LogError) Error() string { return e.Err.Error() }

// Unwrap returns the [*Error].
func (e *LogError) Unwrap() error { return e.Err }

// errTooManyLogs is the cause of an error for each pod beyond [MaxLogStreams].
var errTooManyLogs = fmt.Errorf("the logs of %d other pods are being read", MaxLogStreams)

// LogSources are the pods of a version whose logs are wanted.
type LogSources struct {
	// Ready is how many pods have a log, Waiting how many have none yet because their
	// container has not started.
	Ready, Waiting int
}

// Logs reads what the pods of a version have logged until now, in the order of time, and
// returns when all is read. Only pods that exist have logs: a node that is scaled to zero
// has none. Its error is ctx's, or an [*Error]: the pods cannot be listed, or their logs may
// not be read.
func (c *Client) Logs(ctx context.Context, version string, q LogQuery, to LogHandler) (LogSources, error) {
	s, err := c.newLogs(version, q)
	if err != nil {
		return LogSources{}, err
	}
	pods, err := s.list(ctx)
	if err != nil {
		return LogSources{}, err
	}
	var found LogSources
	var ready []*podLog
	for i := range pods.Items {
		p := s.open(&pods.Items[i])
		switch {
		case p == nil:
		case !stateOf(&pods.Items[i], p.container).readable:
			found.Waiting++
		case found.Ready == MaxLogStreams:
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
	c       *Client
	version string
	query   LogQuery
	pods    corev1client.PodInterface
	opening chan struct{} // has an element for each log that is being opened
}

func (c *Client) newLogs(version string, q LogQuery) (*logs, error) {
	core, err := corev1client.NewForConfig(c.config)
	if err != nil {
		return nil, c.explain(err, "cannot read logs")
	}
	return &logs{c: c, version: version, query: q, pods: core.Pods(c.namespace), opening: make(chan struct{}, maxOpening)}, nil
}

// list returns the pods of the version's nodes and entrypoint.
func (s *logs) list(ctx context.Context) (*corev1.PodList, error) {
	pods := &corev1.PodList{}
	if err := s.c.kube.List(ctx, pods, s.c.inNamespace(), ofVersion(s.version)); err != nil {
		return nil, s.c.explain(err, fmt.Sprintf("cannot list the pods of version %q", s.version))
	}
	return pods, nil
}

func ofVersion(version string) client.MatchingLabels {
	return client.MatchingLabels{render.LabelVersion: version}
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
