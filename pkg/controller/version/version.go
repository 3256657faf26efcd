// Package version reconciles Versions: it turns them into Knative and Kubernetes objects,
// and reports the state of these in their status.
package version

import (
	"context"
	"errors"
	"time"

	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/apply"
	"krt.dev/kn-krt/pkg/controller/warm"
	"krt.dev/kn-krt/pkg/controller/watch"
	"krt.dev/kn-krt/pkg/observe"
	"krt.dev/kn-krt/pkg/render"
)

// finalizer keeps a version that has been started until its entrypoint has drained.
const finalizer = "krt.dev/drain"

// reconciler starts and stops versions. It alone writes their status, and it reads the
// Runtime's.
type reconciler struct {
	client   client.Client // reads from the cache
	live     client.Reader // reads from the apiserver
	applier  *apply.Applier
	settings *watch.Settings
	knative  *watch.Knative
	secrets  *watch.Secrets
	storeKey *watch.StoreKey
	store    *watch.Store
	queue    *watch.Store
	events   events.EventRecorder
	warmer   *warm.Warmer
	image    string // of the entrypoint
	system   string // the controller's namespace
	problems cache[problems]
	configs  configs
	keys     replyKeys
}

// progress is what a start or a stop has achieved.
type progress struct {
	// wrote: objects were written just now and nothing is wrong. The watches report their
	// state.
	wrote bool
	// poll: the version waits for something that no watch reports.
	poll bool
	// due is after what time to reconcile again although nothing is wrong; 0 for never.
	due time.Duration
	// remains: a stop is not complete.
	remains bool
}

// Reconcile brings a version one step closer to its wanted state, and writes the status
// once, at the end.
func (r *reconciler) Reconcile(ctx context.Context, v *v1alpha1.Version) (reconcile.Result, error) {
	deleting, finalized := v.DeletionTimestamp != nil, controllerutil.ContainsFinalizer(v, finalizer)
	if deleting && !finalized {
		return reconcile.Result{}, nil
	}
	published, err := r.publication(ctx, v)
	if err != nil {
		return reconcile.Result{}, err
	}
	run := published.runs(v)
	finalize := r.startFinalize(ctx, v, run && !finalized)
	before, now := v.DeepCopy(), metav1.Now()
	v.BeginStatus()
	v.RecordState(now)
	markPublication(v, published, run)
	s := situation{before: v.Status.Phase, run: run, wanted: published.wanted, published: published.published}
	p, requeue, err := r.advance(ctx, v, s, now.Time)
	newest, failed := finalize(before, v)
	switch err = errors.Join(err, failed); {
	case !newest:
		return reconcile.Result{}, err
	case p.wrote && !finalized: // the next reconcile writes the status of what the first objects have become
		return reconcile.Result{RequeueAfter: time.Second}, nil
	}
	if err = errors.Join(err, r.save(ctx, before, v)); err == nil && deleting && !run && !published.blocksDeletion() {
		err = r.release(ctx, v, before.Status.StartedWith)
	}
	return after(requeue, err)
}

// after is the result of a reconcile: an error requeues by itself.
func after(requeue time.Duration, err error) (reconcile.Result, error) {
	if err != nil {
		return reconcile.Result{}, err
	}
	return reconcile.Result{RequeueAfter: requeue}, nil
}

// advance starts or stops the version and sets its phase. requeue is after what time to
// reconcile again although no watch reports anything; 0 for never.
func (r *reconciler) advance(
	ctx context.Context, v *v1alpha1.Version, s situation, now time.Time,
) (p progress, requeue time.Duration, err error) {
	if s.run {
		p, err = r.start(ctx, v, now)
	} else {
		p, err = r.stop(ctx, v, now)
	}
	v.FinishStatus()
	timeout := patientTimeout(startTimeout(r.settings), v, v.Status.StartedWith)
	s.remains, s.ready, s.failed = p.remains, v.Status.Condition(v1alpha1.ConditionReady).Status, startFailed(v, now, timeout)
	v.Status.Phase = s.phase()
	return p, r.keepWarm(v, now, s.requeue(v, p, timeout, now)), err
}

// readConfig reads the Secret with the config values and marks in v what it has. If it
// cannot be read, that is marked, and no error: only a person can fix it.
func (r *reconciler) readConfig(ctx context.Context, v *v1alpha1.Version) (observe.Config, error) {
	secret, err := r.secrets.Get(ctx, client.ObjectKeyFromObject(v), render.ConfigName(v.Name))
	if err != nil {
		if ctx.Err() != nil {
			return observe.Config{}, err
		}
		observe.MarkConfigUnreadable(v, r.system, err)
		return observe.Config{}, nil
	}
	config := r.configs.of(v, secret)
	config.Mark(v)
	return config, nil
}

func startTimeout(s *watch.Settings) time.Duration {
	known, err := s.Get()
	if err != nil {
		return render.DefaultSettings().StartTimeout
	}
	return known.StartTimeout
}

func (r *reconciler) publication(ctx context.Context, v *v1alpha1.Version) (publication, error) {
	rt := &v1alpha1.Runtime{}
	err := r.client.Get(ctx, types.NamespacedName{Namespace: v.Namespace, Name: v1alpha1.RuntimeName}, rt)
	if apierrors.IsNotFound(err) {
		return publication{}, nil
	}
	return publicationOf(rt, v.Name), err
}

// startFinalize adds the finalizer to a version that is to run, while its objects are
// being created: the version owns them from the first, so one that is deleted before it
// has the finalizer takes them along, and has nothing to drain. The function returned
// waits for it, brings copies of the version up to date, and reports whether they are
// the newest.
func (r *reconciler) startFinalize(
	ctx context.Context, v *v1alpha1.Version, add bool,
) (wait func(copies ...*v1alpha1.Version) (newest bool, err error)) {
	if !add {
		return func(...*v1alpha1.Version) (bool, error) { return true, nil }
	}
	finalized := v.DeepCopy()
	var newest bool
	var all errgroup.Group
	all.Go(func() (err error) {
		newest, err = r.patchFinalizer(ctx, finalized, controllerutil.AddFinalizer)
		return err
	})
	return func(copies ...*v1alpha1.Version) (bool, error) {
		err := all.Wait()
		for _, v := range copies {
			v.ResourceVersion, v.Finalizers = finalized.ResourceVersion, finalized.Finalizers
		}
		return newest, err
	}
}

// patchFinalizer adds or removes the finalizer, and reports whether it did: not in a
// version that is gone, or of which a newer one is on its way.
func (r *reconciler) patchFinalizer(
	ctx context.Context, v *v1alpha1.Version, change func(client.Object, string) bool,
) (done bool, err error) {
	before := v.DeepCopy()
	change(v, finalizer)
	patch := client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
	err = r.client.Patch(ctx, v, patch, client.FieldOwner(apply.Manager))
	if apierrors.IsConflict(err) || apierrors.IsNotFound(err) {
		return false, nil
	}
	return err == nil, err
}

// release lets a deleted version go once it is stopped. Its remaining objects follow by
// their owner references.
func (r *reconciler) release(ctx context.Context, v *v1alpha1.Version, with *v1alpha1.StartedWith) error {
	if v.Status.Phase != v1alpha1.PhaseStopped {
		return nil
	}
	if err := r.deleteStream(ctx, v, with, time.Now()); err != nil {
		return err
	}
	_, err := r.patchFinalizer(ctx, v, controllerutil.RemoveFinalizer)
	return err
}
