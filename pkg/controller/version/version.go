// Package version keeps the Versions of a cluster: it turns them into Knative and
// Kubernetes objects, and says in their status what became of them.
package version

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/apply"
	"krt.dev/kn-krt/pkg/controller/watch"
	"krt.dev/kn-krt/pkg/render"
)

const (
	// finalizer keeps a version that has been started until its entrypoint has drained.
	finalizer = "krt.dev/drain"
	// again is after what time a version that is not as it should be is looked at
	// anew: for what no watch tells, as an object of a stranger that is gone.
	again = 30 * time.Second
)

// reconciler starts and stops versions. It alone writes their status, and
// reads the Runtime's.
type reconciler struct {
	client   client.Client // reads from the cache
	live     client.Reader
	applier  *apply.Applier
	settings *watch.Settings
	knative  *watch.Knative
	secrets  *watch.Secrets
	events   events.EventRecorder
	image    string // of the entrypoint
	system   string // the controller's namespace
	checks   *checks
	configs  configs
	keys     replyKeys
}

// Reconcile takes one look at a version: it does the next of what brings the
// version to its wanted state, and writes the status once, at the end.
func (r *reconciler) Reconcile(ctx context.Context, v *v1alpha1.Version) (reconcile.Result, error) {
	going := v.DeletionTimestamp != nil
	if going && !controllerutil.ContainsFinalizer(v, finalizer) {
		return reconcile.Result{}, nil
	}
	published, err := r.publication(ctx, v)
	if err != nil {
		return reconcile.Result{}, err
	}
	run := published.runs(v)
	isHeld, held := controllerutil.ContainsFinalizer(v, finalizer), r.hold(ctx, v, run)
	before, now := v.DeepCopy(), metav1.Now()
	v.BeginStatus()
	v.RecordState(now)
	markPublication(v, published, run)
	s := situation{before: v.Status.Phase, run: run, wanted: published.wanted, published: published.published}
	result, err := r.advance(ctx, v, &s, now.Time)
	done, failed := held(before, v)
	if err = errors.Join(err, failed); !done {
		return reconcile.Result{}, err
	}
	if s.begun && !isHeld {
		return reconcile.Result{RequeueAfter: time.Second}, nil
	}
	if err = errors.Join(err, r.save(ctx, before, v)); err != nil {
		return reconcile.Result{}, err
	}
	if run || !going || published.holds() || v.Status.Phase != v1alpha1.PhaseStopped {
		return result, nil
	}
	return reconcile.Result{}, r.release(ctx, v)
}

// advance starts or stops, and sums up what became of that.
func (r *reconciler) advance(ctx context.Context, v *v1alpha1.Version, s *situation, now time.Time) (result reconcile.Result, err error) {
	if s.run {
		err = r.start(ctx, v, s, now)
	} else {
		s.remains, err = r.stop(ctx, v, now)
	}
	timeout := startTimeout(r.settings)
	v.FinishStatus()
	s.ready = v.Status.Condition(v1alpha1.ConditionReady).Status
	s.failed = startFailed(v, now, timeout)
	v.Status.Phase = s.phase()
	return reconcile.Result{RequeueAfter: s.next(v, now, timeout)}, err
}

// next is when to look again although nothing is heard of; 0 for never.
func (s situation) next(v *v1alpha1.Version, now time.Time, timeout time.Duration) time.Duration {
	switch {
	case s.soon:
		return time.Second
	case s.run && s.ready == metav1.ConditionTrue:
		return s.later
	case !s.run && !s.remains:
		return 0
	case s.run && !s.failed:
		if since, failing := v.FailedSince(); failing {
			if left := timeout - now.Sub(since); left > 0 {
				return min(again, left+time.Second) // times in a status are whole seconds
			}
		}
	}
	return again
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

// markPublication marks what the Runtime wants of the version, and what is refused for it.
func markPublication(v *v1alpha1.Version, p publication, run bool) {
	switch {
	case p.published:
		v.MarkPublished()
	case p.wanted && p.waits != "":
		v.MarkPublishing(p.waits)
	case p.wanted && v.IsReady():
		v.MarkPublishing("active-entrypoint is being led to it")
	case p.wanted:
		v.MarkPublishing("it will be published once it is ready")
	default:
		v.MarkNotPublished()
	}
	if run && v.WantedState() == v1alpha1.StateStopped {
		v.MarkStopRefused()
	} else {
		v.MarkStopNotRefused()
	}
	if v.DeletionTimestamp != nil && p.holds() {
		v.MarkDeleteRefused()
	} else {
		v.MarkDeleteNotRefused()
	}
}

// hold adds the finalizer to a version that is to run, while its objects are
// being made: they are children of the version from the first, so one that is
// deleted before it is held takes them along, and has nothing to drain. The
// function returned waits for it, and reports whether versions is still the newest.
func (r *reconciler) hold(ctx context.Context, v *v1alpha1.Version, run bool) (wait func(versions ...*v1alpha1.Version) (done bool, err error)) {
	if !run || controllerutil.ContainsFinalizer(v, finalizer) {
		return func(...*v1alpha1.Version) (bool, error) { return true, nil }
	}
	held := v.DeepCopy()
	var done bool
	var all errgroup.Group
	all.Go(func() (err error) {
		done, err = r.finalize(ctx, held, controllerutil.AddFinalizer)
		return err
	})
	return func(versions ...*v1alpha1.Version) (bool, error) {
		err := all.Wait()
		for _, v := range versions {
			v.ResourceVersion, v.Finalizers = held.ResourceVersion, held.Finalizers
		}
		return done, err
	}
}

// finalize adds the finalizer or takes it away, and reports whether it did. It does
// not in an object that is gone, or of which a newer one is on its way.
func (r *reconciler) finalize(ctx context.Context, v *v1alpha1.Version, change func(client.Object, string) bool) (done bool, err error) {
	before := v.DeepCopy()
	change(v, finalizer)
	patch := client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
	err = r.client.Patch(ctx, v, patch, client.FieldOwner(apply.Manager))
	if apierrors.IsConflict(err) || apierrors.IsNotFound(err) {
		return false, nil
	}
	return err == nil, err
}

// release lets a deleted version go. What is left of it follows by its owner references.
func (r *reconciler) release(ctx context.Context, v *v1alpha1.Version) error {
	_, err := r.finalize(ctx, v, controllerutil.RemoveFinalizer)
	return err
}

// save writes the status if it has changed, and tells the change as an event. A
// conflict is no failure: the object that is newer is on its way.
func (r *reconciler) save(ctx context.Context, before, v *v1alpha1.Version) error {
	if equality.Semantic.DeepEqual(before.Status, v.Status) {
		return nil
	}
	patch := client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
	status := v.Status.DeepCopy() // the answer is read into v
	if err := r.client.Status().Patch(ctx, v, patch, client.FieldOwner(apply.Manager)); err != nil {
		v.Status = *status
		if apierrors.IsConflict(err) || apierrors.IsNotFound(err) {
			return nil
		}
		return fmt.Errorf("cannot write the status: %w", err)
	}
	r.tell(v, before.Status, *status)
	return nil
}

func (r *reconciler) tell(v *v1alpha1.Version, before, now v1alpha1.VersionStatus) {
	old, ready := before.Condition(v1alpha1.ConditionReady), now.Condition(v1alpha1.ConditionReady)
	isCause := ready.Status == metav1.ConditionFalse && ready.Reason != v1alpha1.ReasonStopped && ready.Reason != v1alpha1.ReasonStopping
	if isCause && (old == nil || old.Reason != ready.Reason || old.Message != ready.Message) {
		r.events.Eventf(v, nil, corev1.EventTypeWarning, ready.Reason, "Reconcile", "%s", ready.Message)
	}
	switch {
	case before.Phase == now.Phase || before.Phase == "" && now.Phase == v1alpha1.PhaseStopped:
	case now.Phase == v1alpha1.PhaseStopped && isCause:
		r.events.Eventf(v, nil, corev1.EventTypeWarning, "StartFailed", "Start", "the start has failed; it goes on once the cause is mended: %s", ready.Message)
	default:
		r.events.Eventf(v, nil, corev1.EventTypeNormal, string(now.Phase), "Reconcile", "the version is %s", now.Phase)
	}
}
