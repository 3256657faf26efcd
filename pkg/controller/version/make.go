package version

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"golang.org/x/sync/errgroup"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/apply"
	"krt.dev/kn-krt/pkg/observe"
)

// parallel is how many objects of a version are on their way at a time: all of
// a version of a few nodes. The apiserver has fairness of its own.
const parallel = 16

// piece says what of a version an object belongs to: a node, a workflow, or
// neither, which is the entrypoint. What a restart makes beside what serves is apart.
type piece struct {
	node, workflow string
	beside         bool
}

// item is one desired object.
type item struct {
	piece
	object client.Object
	// leave tells that it stays as it is now: neither written nor deleted.
	leave bool
}

// outcome is what became of writing the objects of a version.
type outcome struct {
	flags   map[string][]string      // by node: Knative's flags that are off
	causes  map[piece]*observe.Cause // what needs a person
	changes map[piece]bool           // written just now: what was read of it is old
	kept    bool                     // something stays as another program has made it
}

func (o outcome) cause(p piece) *observe.Cause { return o.causes[p] }
func (o outcome) changed(p piece) bool         { return o.changes[p] }

// made reports whether something has been written, and nothing needs a person.
func (o outcome) made() bool {
	return len(o.changes) > 0 && len(o.causes) == 0 && len(o.flags) == 0
}

// make writes what differs from what is desired, all at the same time, and
// deletes what is desired no longer.
func (r *reconciler) make(ctx context.Context, a *attempt) error {
	a.outcome = outcome{flags: map[string][]string{}, causes: map[piece]*observe.Cause{}, changes: map[piece]bool{}}
	// The entrypoint's pods are told which key they have read.
	key, err := r.replyKey(ctx, a.version)
	if err != nil {
		return a.outcome.blame(a.version, piece{}, err)
	}
	items, err := r.desired(ctx, a, key.id(a.version))
	if err != nil {
		return err
	}
	keep := make([]client.Object, len(items))
	for i, one := range items {
		keep[i] = one.object
	}
	if items == nil {
		return nil // it could not be rendered: what there is stays
	}
	err = r.write(ctx, a, key, items)
	_, pruned := r.applier.PruneBut(ctx, a.version, keep, r.spare(ctx, a), r.kinds()...)
	return errors.Join(err, pruned)
}

// blame makes an error that needs a person the cause of piece p, and returns any other.
func (o outcome) blame(v *v1alpha1.Version, p piece, err error) error {
	c, ok := person(v, err)
	switch {
	case isNamespaceGone(err): // the version is about to go too
		return nil
	case !ok:
		return err
	case o.causes[p] == nil:
		o.causes[p] = c
	}
	return nil
}

// write applies items and keeps the reply key, and sorts what fails: what needs a
// person is a cause of its piece, the rest is returned.
func (r *reconciler) write(ctx context.Context, a *attempt, key replyKey, items []item) error {
	var mu sync.Mutex
	var errs []error
	var all errgroup.Group
	all.SetLimit(parallel)
	put := r.applier.Apply
	if a.isLive {
		put = r.applier.ApplyInUse
	}
	all.Go(func() error {
		err := r.keep(ctx, a.version, key)
		mu.Lock()
		defer mu.Unlock()
		errs = append(errs, a.outcome.blame(a.version, piece{}, err))
		return nil
	})
	for _, one := range items {
		if one.leave {
			continue
		}
		all.Go(func() error {
			result, err := put(ctx, a.version, one.object)
			mu.Lock()
			defer mu.Unlock()
			a.outcome.kept = a.outcome.kept || result.Kept > 0
			errs = append(errs, a.outcome.blame(a.version, one.piece, err))
			// Of the entrypoint's objects only the Deployment is looked at.
			if _, isDeployment := one.object.(*appsv1.Deployment); len(result.Changed) > 0 && (one.piece != piece{} || isDeployment) {
				a.outcome.changes[one.piece] = true
			}
			return nil
		})
	}
	_ = all.Wait() // every error is in errs
	return errors.Join(errs...)
}

// isNamespaceGone reports whether nothing can be made because the namespace is
// being deleted, or has been.
func isNamespaceGone(err error) bool {
	if apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause) {
		return true
	}
	var status apierrors.APIStatus
	if !apierrors.IsNotFound(err) || !errors.As(err, &status) {
		return false
	}
	details := status.Status().Details
	return details != nil && details.Kind == "namespaces"
}

// person reports whether trying again does not mend an error, and says it in words
// for a person.
func person(v *v1alpha1.Version, err error) (*observe.Cause, bool) {
	var taken *apply.NotOwnedError
	var status apierrors.APIStatus
	switch {
	case err == nil:
		return nil, false
	case errors.As(err, &taken) && taken.Former: // its end is heard of
		return &observe.Cause{Reason: v1alpha1.ReasonDeploying, Message: fmt.Sprintf("%s %q of a deleted version of this name has not gone yet", taken.Kind, taken.Name)}, true
	case errors.As(err, &taken):
		return &observe.Cause{Reason: v1alpha1.ReasonNotOwned, Message: takenText(v, taken)}, true
	case meta.IsNoMatchError(err):
		return nil, false // a part of Knative has just gone, which is about to be seen
	case errors.As(err, &status) && (apierrors.IsInvalid(err) || apierrors.IsBadRequest(err) || apierrors.IsForbidden(err)):
		return &observe.Cause{Reason: v1alpha1.ReasonRefused, Message: fmt.Sprintf("%s; it is tried again every %s", err, again)}, true
	default:
		return nil, false
	}
}

// takenText names what has the name, and the ways out.
func takenText(v *v1alpha1.Version, taken *apply.NotOwnedError) string {
	object := fmt.Sprintf("%s %q", taken.Kind, taken.Name)
	switch {
	case taken.OwnerKind == "Version":
		return fmt.Sprintf("%s belongs to Version %q, whose names meet this one's; rename this one or delete that: kn krt delete %s -n %s",
			object, taken.OwnerName, taken.OwnerName, v.Namespace)
	case taken.OwnerKind != "":
		return fmt.Sprintf("%s exists and belongs to %s %q; rename what is in the way, or use another name here", object, taken.OwnerKind, taken.OwnerName)
	default:
		return fmt.Sprintf("%s exists and is nobody's of kn-krt; take it away or use another name here; what there is: kubectl get all -n %s | grep %s",
			object, v.Namespace, taken.Name)
	}
}
