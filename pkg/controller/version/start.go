package version

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/observe"
	"krt.dev/kn-krt/pkg/render"
)

// attempt is one look at a version that is to run.
type attempt struct {
	version *v1alpha1.Version
	// settings are those that the version was started with.
	settings render.Settings
	// next is what it is being restarted with; nil for nothing.
	next    *next
	now     time.Time
	config  observe.Config
	verdict verdict
	have    objects
	// isLive: it is up, and nothing of it is taken away because something fails.
	isLive bool
	// withheld: its start has failed for the sake of others than the entrypoint,
	// which therefore has no Deployment, and so no endpoints.
	withheld bool
	outcome  outcome
	// soon: it waits for something of which no watch tells; later: something is due after that time.
	soon  bool
	later time.Duration
}

// start makes what runs of a version be as it should, and marks in v what became
// of it. What hinders one part hinders no other. The error is what may be gone
// when it is tried again; what needs a person is marked.
// In s it notes that objects have been written just now and nothing is amiss, and
// what is waited for of which no watch tells.
func (r *reconciler) start(ctx context.Context, v *v1alpha1.Version, s *situation, now time.Time) (err error) {
	a := &attempt{version: v, now: now, isLive: isLive(v.Status.Phase)}
	if known, err := r.settle(ctx, a); err != nil || !known {
		return err // a change of the settings puts every version into the queue
	}
	a.withheld = startFailed(v, now, a.settings.StartTimeout) && !a.partsReady()
	if a.config, err = r.readConfig(ctx, v); err != nil {
		return err
	}
	if a.verdict, err = r.checks.of(ctx, v); err != nil {
		return err
	}
	if a.have, err = r.read(ctx, v); err != nil {
		return err
	}
	if a.verdict.valid() && (a.isLive || a.config.Ready) {
		err = r.make(ctx, a)
	}
	err = errors.Join(err, r.observe(ctx, a))
	s.begun, s.soon, s.later = err == nil && a.outcome.made(), a.soon, a.later
	return err
}

// partsReady reports whether all is ready that an entrypoint needs to answer.
func (a *attempt) partsReady() bool {
	for _, t := range []string{v1alpha1.ConditionConfigReady, v1alpha1.ConditionNodesReady, v1alpha1.ConditionWorkflowsReady} {
		if c := a.version.Status.Condition(t); c == nil || c.Status != metav1.ConditionTrue {
			return false
		}
	}
	return true
}

// readConfig reads the user's Secret and marks in v what it has for it. That it
// cannot be read is marked too, and is no error where only a person can mend it.
func (r *reconciler) readConfig(ctx context.Context, v *v1alpha1.Version) (observe.Config, error) {
	secret, err := r.secrets.Get(ctx, client.ObjectKeyFromObject(v), render.ConfigName(v.Name))
	if err != nil {
		if ctx.Err() != nil {
			return observe.Config{}, err
		}
		observe.MarkConfigUnreadable(v, r.system, err)
		return observe.Config{}, nil
	}
	state := r.configs.of(v, secret)
	state.Mark(v)
	return state, nil
}

// observe marks what became of nodes, workflows and entrypoint.
func (r *reconciler) observe(ctx context.Context, a *attempt) error {
	v := a.version
	w := observe.View{Now: a.now, Patience: a.settings.StartTimeout, Mask: a.config.Mask}
	entrypoint := observe.Entrypoint{Deployment: a.have.deployment, Waits: a.waits(),
		URL: fmt.Sprintf("http://%s.%s.svc.%s", v.Name, v.Namespace, a.settings.ClusterDomain)}
	if a.incomplete() {
		pods, err := r.pods(ctx, v)
		if err != nil {
			return err
		}
		if w.Events, err = r.warnings(ctx, pods, a.now); err != nil {
			return err
		}
		entrypoint.Pods = a.have.sort(pods)
	}
	r.observeNodes(a, w)
	if err := r.observeWorkflows(ctx, a, w); err != nil {
		return err
	}
	if a.withheld || a.outcome.changed(piece{}) {
		entrypoint.Deployment = nil
	}
	w.Entrypoint(v, entrypoint)
	switch c := a.outcome.cause(piece{}); {
	case c == nil:
	case c.Reason == v1alpha1.ReasonDeploying:
		v.MarkEntrypointDeploying(c.Message)
	default:
		v.MarkEntrypointNotReady(c.Reason, c.Message)
	}
	a.verdict.mark(v)
	r.markCurrent(a, w)
	return nil
}

// incomplete reports whether pods are to be asked why something is not ready.
func (a *attempt) incomplete() bool {
	for _, n := range a.have.nodes {
		if n.Service == nil || !n.Service.IsReady() {
			return true
		}
	}
	return a.have.deployment == nil || !observe.DeploymentReady(a.have.deployment)
}

func (r *reconciler) observeNodes(a *attempt, w observe.View) {
	v := a.version
	if !r.knative.Serving.Present() {
		v.MarkServingMissing()
		return
	}
	for _, n := range v.Spec.Nodes {
		p := piece{node: n.Name}
		switch {
		// One that is there runs on; it only cannot be written.
		case a.outcome.flags[n.Name] != nil && a.have.nodes[n.Name].Service == nil:
			v.MarkNodeFeatureDisabled(n.Name, a.outcome.flags[n.Name]...)
		case a.outcome.cause(p) != nil:
			c := a.outcome.cause(p)
			v.MarkNodeNotReady(n.Name, c.Reason, c.Message)
		case a.outcome.changed(p):
			v.MarkNodeDeploying(n.Name, observe.Unseen)
		case a.have.nodes[n.Name].Service == nil && !a.config.Ready:
			v.MarkNodeDeploying(n.Name, "it waits for the config")
		default:
			w.Node(v, n.Name, a.have.nodes[n.Name])
		}
	}
}

func (r *reconciler) observeWorkflows(ctx context.Context, a *attempt, w observe.View) error {
	v := a.version
	if !r.knative.Eventing.Present() && v.Delivery() == v1alpha1.DeliverySequence {
		v.MarkEventingMissing()
		return nil
	}
	for i, workflow := range v.Spec.Workflows {
		p := piece{workflow: workflow.Name}
		if c := a.outcome.cause(p); c != nil {
			v.MarkWorkflowNotReady(workflow.Name, c.Reason, c.Message)
			continue
		}
		sequence, known := a.have.sequences[workflow.Name], v.Status.Workflows[i].Ready
		w.Workflow(v, workflow.Name, sequence)
		if sequence == nil || known || !v.Status.Workflows[i].Ready {
			continue
		}
		channel, err := r.unserved(ctx, sequence)
		if err != nil {
			return err
		}
		if channel != "" {
			a.soon = true
			v.MarkWorkflowDeploying(workflow.Name, fmt.Sprintf(
				"Knative Eventing has not connected its channel yet; see: kubectl describe inmemorychannel %s -n %s", channel, v.Namespace))
		}
	}
	return nil
}

// waits is why there is no Deployment of the entrypoint, if there is none.
func (a *attempt) waits() string {
	switch {
	case a.withheld:
		return "it is held back until all else is ready"
	case !a.config.Ready:
		return "it waits for the config"
	case a.have.deployment == nil && a.version.Delivery() == v1alpha1.DeliverySequence && len(a.addresses()) < len(a.version.Spec.Workflows):
		return "it waits for the addresses of the workflows"
	default:
		return "its pods are being started"
	}
}

// addresses are those of the Sequences. One that is gone for a moment keeps its
// address while the version is up: its Sequence is about to be made again.
func (a *attempt) addresses() map[string]string {
	known := map[string]string{}
	for _, w := range a.version.Status.Workflows {
		address := observe.SequenceAddress(a.have.sequences[w.Name])
		if address == "" && a.isLive {
			address = w.Address
		}
		if address != "" {
			known[w.Name] = address
		}
	}
	return known
}

// schedulable reports whether pods can be put on a node of the cluster.
func schedulable(n *corev1.Node) bool {
	if n.Spec.Unschedulable {
		return false
	}
	for _, c := range n.Status.Conditions {
		if c.Type == corev1.NodeReady {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}
