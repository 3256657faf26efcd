package version

import (
	"context"
	"errors"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/observe"
)

// desired is what a version is to be made into.
type desired struct {
	version *v1alpha1.Version
	plan    plan
	// addresses are those of the Sequences, by workflow.
	addresses map[string]string
	// channels are the kinds that their channels have become; see [render.Input].
	channels map[string]string
	// retries are the Revisions that are made anew; see [render.Input].
	retries map[string]string
	// live: the version is up, and nothing of it is deleted because something fails.
	live bool
	// withheld: the start has failed, and not because of the entrypoint. It has no
	// Deployment, and so no endpoints, until all else is ready.
	withheld bool
}

// start writes the objects of a version as they are desired, and marks their state in v.
// What blocks one component blocks no other. The error is what a retry may fix; what needs
// a person is marked.
func (r *reconciler) start(ctx context.Context, v *v1alpha1.Version, now time.Time) (progress, error) {
	live := isLive(v.Status.Phase)
	p, err := r.plan(ctx, v, now)
	if p == nil || err != nil {
		return progress{}, err
	}
	p.note(v)
	withheld := startFailed(v, now, p.startTimeout(v)) && !componentsReady(v)
	have, configured, err := r.readAll(ctx, v, now)
	if err != nil {
		return progress{}, err
	}
	want := desired{version: v, plan: *p, live: live, addresses: observe.Addresses(v, have.sequences, live), withheld: withheld}
	if err = r.complete(ctx, &want, have); err != nil {
		return progress{}, err
	}
	var done applied
	if have.problems.none() && (live || configured) {
		done, err = r.apply(ctx, want, have)
	}
	marked, failed := r.mark(ctx, want, have, done)
	if err = errors.Join(err, failed); marked.blind {
		return progress{}, err
	}
	due := dueForMachines(v, sooner(done.due, marked.due))
	return progress{wrote: err == nil && done.clean(), poll: marked.poll || p.poll(), due: due}, err
}

// note notes in the version what it is started with, and whether it has had a stream of the queue.
func (p *plan) note(v *v1alpha1.Version) {
	v.Status.StartedWith, v.Status.Stream = &p.with, v.Status.Stream || p.with.QueueSecret != ""
}

// complete adds to what is desired what depends on what its channels have become and on machines.
func (r *reconciler) complete(ctx context.Context, want *desired, have current) (err error) {
	if want.channels, err = r.becameChannels(ctx, want.version, have.sequences, want.live); err != nil {
		return err
	}
	want.retries, err = r.retries(ctx, *want, have)
	return err
}

// readAll reads what exists of a version, and whether its config has all values.
func (r *reconciler) readAll(ctx context.Context, v *v1alpha1.Version, now time.Time) (have current, configured bool, err error) {
	config, err := r.readConfig(ctx, v)
	if err != nil {
		return have, false, err
	}
	have, err = r.read(ctx, v, config, now)
	return have, config.Ready, err
}

// marked is what follows from what is marked in a version.
type marked struct {
	// poll: something that is not watched must be looked at again.
	poll bool
	// blind: nothing is marked, because the pods cannot be read.
	blind bool
	// due is after what time something is to be marked in another way although nothing has changed; 0 for never.
	due time.Duration
}

// mark marks in the version what became of its objects.
func (r *reconciler) mark(ctx context.Context, want desired, have current, done applied) (m marked, err error) {
	in := r.observation(want, have, done)
	in.Workflows, m.poll, err = r.workflows(ctx, want, have, done)
	if !have.ready() || in.Patient() {
		unknown, failed := r.addPods(ctx, want.version, have.ready(), &in)
		if err = errors.Join(err, failed); unknown {
			return marked{blind: true}, err
		}
	}
	former := want.version.QueueProblem()
	observe.Mark(want.version, in)
	r.markCurrent(want, done, in)
	r.markStore(want)
	r.markQueue(want, former)
	due, failed := r.tellCold(ctx, want, in)
	m.due = due
	return m, errors.Join(err, failed)
}

// componentsReady reports whether all that an entrypoint calls was ready when the status
// was last written.
func componentsReady(v *v1alpha1.Version) bool {
	for _, t := range []string{v1alpha1.ConditionConfigReady, v1alpha1.ConditionNodesReady, v1alpha1.ConditionWorkflowsReady} {
		if c := v.Status.Condition(t); c == nil || c.Status != metav1.ConditionTrue {
			return false
		}
	}
	return true
}
