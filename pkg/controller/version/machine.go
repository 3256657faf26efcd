package version

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/apply"
	"krt.dev/kn-krt/pkg/entrypoint/cold"
	"krt.dev/kn-krt/pkg/observe"
	"krt.dev/kn-krt/pkg/render"
	"krt.dev/kn-krt/pkg/render/machine"
)

// maxEvents is how many events about a pod that waits for a machine are read.
const maxEvents = 100

// patience is how the pods of a node wait for a machine; nil: they do not.
func (p plan) patience(n v1alpha1.Node) *observe.Patience {
	if !p.with.Patient || !machine.Patient(n) {
		return nil
	}
	s := &p.settings
	name, count := machine.GPU(n, s.GPUResource)
	return &observe.Patience{Resource: name, Count: count, Selector: machine.Selector(n, s.GPUResource, s.GPUNodeSelector),
		StartTimeout: machine.StartTimeout(n)}
}

// startTimeout is how long a cause that needs a person may last before the start of a version has failed: at
// least as long as any of its nodes may take.
func (p plan) startTimeout(v *v1alpha1.Version) time.Duration {
	return patientTimeout(p.settings.StartTimeout, v, &p.with)
}

func patientTimeout(timeout time.Duration, v *v1alpha1.Version, with *v1alpha1.StartedWith) time.Duration {
	if with == nil || !with.Patient {
		return timeout
	}
	return max(timeout, machine.LongestStart(v))
}

// dueForMachines is due, or sooner if a node waits for a machine or has done so for too long, ready or not:
// what autoscalers report is not watched, and neither are machines.
func dueForMachines(v *v1alpha1.Version, due time.Duration) time.Duration {
	waits := slices.ContainsFunc(v.Status.Nodes, func(n v1alpha1.NodeStatus) bool {
		return n.Reason == v1alpha1.ReasonWaitingForNode || n.Reason == v1alpha1.ReasonUnschedulable
	})
	if waits {
		return sooner(due, interval)
	}
	return due
}

// sooner is the earlier of two times to wait; 0 is for never.
func sooner(a, b time.Duration) time.Duration {
	if a == 0 || b > 0 && b < a {
		return b
	}
	return a
}

// addMachines reads what autoscalers report about pods of patient nodes that wait for a machine, and what
// Knative does meanwhile. An error says what could not be read, and the rest has been.
func (r *reconciler) addMachines(ctx context.Context, in *observe.Input) (unread error) {
	waits := false
	for _, name := range slices.Sorted(maps.Keys(in.Nodes)) {
		node := in.Nodes[name]
		pod, _ := observe.Waits(node.Pods)
		if node.Patience == nil || pod == nil {
			continue
		}
		waits = true
		var list corev1.EventList
		about := client.MatchingFields{"involvedObject.uid": string(pod.UID)}
		if err := r.live.List(ctx, &list, client.InNamespace(pod.Namespace), about, client.Limit(maxEvents)); err != nil {
			in.Unread = true
			unread = errors.Join(unread, fmt.Errorf("cannot read the events of Pod %q: %w", pod.Name, err))
			continue
		}
		in.Events[pod.UID] = list.Items
	}
	if !waits {
		return nil
	}
	config, err := knativeConfig(ctx, r.client, render.DeploymentName)
	in.Impatient = err == nil && !strings.EqualFold(config[render.AlwaysSchedulable], "true")
	return errors.Join(unread, err)
}

// retries are the Revisions that have been made anew because Knative had given up one for which there was no
// machine, and those for which there is one now: once for each change of what the machines offer, and now and then if
// that does not change. A new Revision is given up no sooner than its start timeout, which bounds how many there are.
func (r *reconciler) retries(ctx context.Context, want desired, have current) (map[string]string, error) {
	retries := map[string]string{}
	var pods []corev1.Pod
	for _, n := range want.version.Spec.Nodes {
		node := have.nodes[n.Name]
		node.Patience = want.plan.patience(n)
		if node.Patience == nil || node.Service == nil {
			continue
		}
		if former := node.Service.Spec.Template.Annotations[render.AnnotationRetry]; former != "" {
			retries[n.Name] = former
		}
		if !observe.GivenUp(want.version, n.Name, node) {
			continue
		}
		if pods == nil {
			var err error
			if pods, err = r.pods(ctx, want.version); err != nil {
				return nil, err
			}
		}
		alone := map[string]observe.Node{n.Name: node}
		if podsOf(pods, alone); !observe.GivenUp(want.version, n.Name, alone[n.Name]) {
			continue
		}
		offer, err := r.offer(ctx, node.Patience, have.at)
		if err != nil {
			return nil, err
		}
		if offer != "" {
			retries[n.Name] = offer
		}
	}
	return retries, nil
}

// offer identifies the machines that could run one more pod.
func (r *reconciler) offer(ctx context.Context, p *observe.Patience, now time.Time) (string, error) {
	var machines corev1.NodeList
	var pods corev1.PodList
	err := errors.Join(r.client.List(ctx, &machines, client.UnsafeDisableDeepCopy), r.client.List(ctx, &pods, client.UnsafeDisableDeepCopy))
	if err != nil {
		return "", fmt.Errorf("cannot read the machines of the cluster: %w", err)
	}
	return p.Offer(machines.Items, pods.Items, now), nil
}

// tellCold has the entrypoint's pods know which nodes wait for a machine or start, by an annotation that they mount. due
// is after what time that has changed although no pod has, 0 for never.
func (r *reconciler) tellCold(ctx context.Context, want desired, in observe.Input) (due time.Duration, err error) {
	if !in.Patient() {
		return 0, nil
	}
	nodes, due := observe.Cold(want.version, in)
	text := cold.Text(nodes)
	for i := range in.Entrypoint.Pods {
		told := &in.Entrypoint.Pods[i]
		if told.DeletionTimestamp != nil || told.Annotations[render.AnnotationCold] == text {
			continue
		}
		patch := fmt.Appendf(nil, `{"metadata":{"annotations":{%q:%q}}}`, render.AnnotationCold, text)
		pod := &corev1.Pod{}
		pod.Namespace, pod.Name = told.Namespace, told.Name
		err := r.client.Patch(ctx, pod, client.RawPatch(types.MergePatchType, patch), client.FieldOwner(apply.Manager))
		if client.IgnoreNotFound(err) != nil {
			return due, fmt.Errorf("cannot annotate Pod %q: %w", pod.Name, err)
		}
	}
	return due, nil
}
