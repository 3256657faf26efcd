package version

import (
	"context"
	"errors"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/apply"
	"krt.dev/kn-krt/pkg/observe"
)

// parallel is how many objects of a version are written at a time: all of a version of a
// few nodes. The apiserver has fairness of its own.
const parallel = 16

// applied is the result of writing the objects of a version.
type applied struct {
	disabled     map[string][]string       // Knative's feature flags that a node lacks
	refused      map[target]*observe.Cause // what cannot be written until a person acts
	written      map[target]bool           // what was read of it is outdated
	outdated     bool                      // an object stays as another kn-krt has written it
	unrenderable bool                      // nothing was written: the version contradicts itself
	due          time.Duration             // after what time something is to be deleted; 0 for nothing
}

// clean reports whether something has been written, and nothing needs a person.
func (a applied) clean() bool {
	return len(a.written) > 0 && len(a.refused) == 0 && len(a.disabled) == 0
}

// refuse notes an error that needs a person as the cause of t, and returns any other.
func (a *applied) refuse(v *v1alpha1.Version, t target, err error) error {
	c, needsPerson := refusal(v, err)
	switch {
	case namespaceTerminating(err): // the version is about to be deleted too
		return nil
	case !needsPerson:
		return err
	case a.refused == nil:
		a.refused = map[target]*observe.Cause{t: c}
	case a.refused[t] == nil:
		a.refused[t] = c
	}
	return nil
}

// apply writes what differs from what is desired, all at the same time, and deletes what
// is no longer desired.
func (r *reconciler) apply(ctx context.Context, want desired, have current) (done applied, err error) {
	key, err := r.replyKey(ctx, want.version) // its id is an annotation of the entrypoint's pods
	if err != nil {
		err = done.refuse(want.version, target{}, err)
		return done, err
	}
	allowed, err := r.cluster(ctx, want)
	if err != nil {
		return done, err
	}
	items, invalid := want.items(allowed, have.config, key.id(want.version))
	if invalid != nil {
		c := &observe.Cause{Reason: v1alpha1.ReasonInvalid, Message: invalid.Error()}
		return applied{unrenderable: true, refused: map[target]*observe.Cause{{}: c}}, nil //nolint:nilerr // it is in the condition
	}
	items, keep, err := r.keepContent(ctx, want, have, items)
	if err != nil {
		return done, err
	}
	done, err = r.write(ctx, want, key, items)
	for _, one := range items {
		if keep = append(keep, one.object); one.disabled != nil {
			done.disabled[one.Node] = one.disabled
		}
	}
	if done.written[target{}] {
		have.deployment = nil // its status is outdated
	}
	due, failed := r.prune(ctx, want, have, keep)
	done.due = due
	return done, errors.Join(err, failed)
}

// write applies items and creates the reply key, all at the same time.
func (r *reconciler) write(ctx context.Context, want desired, key replyKey, items []item) (applied, error) {
	done := applied{disabled: map[string][]string{}, written: map[target]bool{}}
	var mu sync.Mutex
	var errs []error
	var all errgroup.Group
	all.SetLimit(parallel)
	for _, create := range []func() error{
		func() error { return r.createKey(ctx, want.version, key) },
		func() error { return r.createStoreSecret(ctx, want) },
		func() error { return r.createQueueSecret(ctx, want) },
	} {
		all.Go(func() error {
			err := create()
			mu.Lock()
			defer mu.Unlock()
			errs = append(errs, done.refuse(want.version, target{}, err))
			return nil
		})
	}
	write := func(one item) (written bool) {
		put := r.applier.Apply
		if want.live && !one.anew {
			put = r.applier.ApplyInUse
		}
		var result apply.Result
		err := r.createChannelsOf(ctx, want.version, one.object)
		if err == nil {
			result, err = put(ctx, want.version, one.object)
		}
		mu.Lock()
		defer mu.Unlock()
		done.note(one, result)
		errs = append(errs, done.refuse(want.version, one.target, err))
		return err == nil
	}
	for _, row := range rows(items) {
		all.Go(func() error {
			for _, one := range row {
				if !write(one) { // the next of the row needs it
					break
				}
			}
			return nil
		})
	}
	_ = all.Wait() // every error is in errs
	return done, errors.Join(errs...)
}

// note notes the result of writing one.
func (a *applied) note(one item, result apply.Result) {
	a.outdated = a.outdated || result.Kept > 0
	// The entrypoint's status depends on its Deployment alone.
	if _, isDeployment := one.object.(*appsv1.Deployment); len(result.Changed) > 0 && (isDeployment || !one.IsEntrypoint()) {
		a.written[one.target] = true
	}
}

// rows are the items that are written: those of a row one after the other, until one cannot be. The entrypoint's
// Deployment follows its ConfigMap, which a pod reads only when it starts: pods of the one must not find what was in the
// other before.
func rows(items []item) (all [][]item) {
	content := -1 // the row of the ConfigMap
	for _, one := range items {
		_, isContent := one.object.(*corev1.ConfigMap)
		_, isDeployment := one.object.(*appsv1.Deployment)
		switch {
		case one.frozen:
		case isDeployment && content >= 0:
			all[content] = append(all[content], one)
		default:
			if isContent {
				content = len(all)
			}
			all = append(all, []item{one})
		}
	}
	return all
}
