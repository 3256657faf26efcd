// Package apply makes objects in a cluster be as they are wanted, by server-side
// apply and only where they are not; it touches nothing that belongs to others.
package apply

import (
	"context"
	"errors"
	"fmt"
	"reflect"

	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/client-go/util/csaupgrade"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
)

// HashAnnotation holds the hash of what was last wanted of an object. A field
// that is wanted no longer is seen by it, for what is left still agrees.
const HashAnnotation = "krt.dev/applied-hash"

// MadeAnnotation holds what an object in use was made of, in the caller's words. What is
// wanted by it must follow from that alone, as long as the program is the same.
const MadeAnnotation = "krt.dev/made-of"

// Manager is the field manager unless Applier.FieldManager names another.
const Manager = "kn-krt"

// parallel is how many objects of one Apply are on their way at a time.
const parallel = 8

// Applier applies and prunes. Client and Live are needed. It may be used by many
// goroutines and must not be copied.
type Applier struct {
	// Client reads from a cache (nothing to do costs no call) and writes. The cache
	// has the index [OwnerIndex] for all kinds that are pruned.
	Client client.Client
	// Live reads from the apiserver. It is asked when an object turns up that the cache does not know.
	Live client.Reader
	// FieldManager owns the fields that are applied; Manager if empty.
	FieldManager string

	settled memory
}

// Action is what was done to an object.
type Action string

// The actions.
const (
	Created Action = "created"
	Updated Action = "updated"
	Deleted Action = "deleted"
	// left is none that is told.
	left Action = "left"
)

// Change is one object that was written.
type Change struct {
	Kind, Name string
	Action     Action
}

// Result is all that was written, in the order in which it was asked for. An
// empty one is the rule: nothing had to be done.
type Result struct {
	Changed []Change
	// Kept is how many objects were left as another program has made them: [Applier.ApplyInUse].
	Kept int
}

// Apply makes the desired objects be as given, and owner their controller. All
// are tried, at the same time; the errors are joined, each names its object, and
// the result has what was done besides. An object of the same name that has
// another controller or none is left alone: *NotOwnedError. One that is being
// deleted is left alone too, without an error: its end is an event of its own.
func (a *Applier) Apply(ctx context.Context, owner client.Object, desired ...client.Object) (Result, error) {
	return a.all(ctx, owner, desired, false)
}

// ApplyInUse is [Applier.Apply] for what must not change because the program has: an
// object that bears the [MadeAnnotation] that is wanted, and was applied in another
// form, is left as it is.
func (a *Applier) ApplyInUse(ctx context.Context, owner client.Object, desired ...client.Object) (Result, error) {
	return a.all(ctx, owner, desired, true)
}

func (a *Applier) all(ctx context.Context, owner client.Object, desired []client.Object, inUse bool) (Result, error) {
	actions, errs := make([]Action, len(desired)), make([]error, len(desired))
	kinds := make([]string, len(desired))
	var all errgroup.Group
	all.SetLimit(parallel)
	for i, object := range desired {
		all.Go(func() error {
			kinds[i], actions[i], errs[i] = a.apply(ctx, owner, object, inUse)
			return nil
		})
	}
	_ = all.Wait() // every error is in errs
	var result Result
	for i, object := range desired {
		switch actions[i] {
		case "":
		case left:
			result.Kept++
		default:
			result.Changed = append(result.Changed, Change{Kind: kinds[i], Name: object.GetName(), Action: actions[i]})
			log.FromContext(ctx).Info("object "+string(actions[i]), "kind", kinds[i], "name", object.GetName())
		}
	}
	return result, errors.Join(errs...)
}

func (a *Applier) apply(ctx context.Context, owner, desired client.Object, inUse bool) (kind string, done Action, err error) {
	w, err := a.want(owner, desired)
	if err != nil {
		return fmt.Sprintf("%T", desired), "", fmt.Errorf("cannot apply %T %q: %w", desired, desired.GetName(), err)
	}
	w.inUse = inUse
	done, err = a.one(ctx, owner, w)
	var taken *NotOwnedError
	if err != nil && !errors.As(err, &taken) {
		err = fmt.Errorf("cannot apply %s %q: %w", w.gvk.Kind, w.key.Name, err)
	}
	return w.gvk.Kind, done, err
}

// wanted is a desired object in the form that is sent.
type wanted struct {
	gvk    schema.GroupVersionKind
	key    client.ObjectKey
	owner  string // the owner's kind
	form   map[string]any
	hash   string
	goType reflect.Type
	inUse  bool
	of     types.UID // the owner's
}

// one is the whole way of one object: nothing, create, or update.
func (a *Applier) one(ctx context.Context, owner client.Object, w *wanted) (Action, error) {
	live := w.typed()
	err := a.Client.Get(ctx, w.key, live)
	if apierrors.IsNotFound(err) {
		a.settled.forget(object{w.gvk, w.key})
		// A plain create: unlike an apply it never meets an object that the cache has not seen.
		var first client.Object
		if first, err = w.first(); err == nil {
			err = a.Client.Create(ctx, first, a.fieldOwner())
		}
		if !apierrors.IsAlreadyExists(err) {
			return done(Created, err)
		}
		err = a.Live.Get(ctx, w.key, live)
	}
	if err != nil {
		return "", err
	}
	if err := owned(owner, live, w); err != nil {
		return "", err
	}
	if live.GetDeletionTimestamp() != nil {
		return "", nil
	}
	if w.inUse && w.madeAlike(live) {
		return left, nil
	}
	drifted, err := a.drifted(ctx, w, live)
	if err != nil || !drifted {
		return "", err
	}
	return done(Updated, a.update(ctx, w, live))
}

func done(action Action, err error) (Action, error) {
	if err != nil {
		return "", err
	}
	return action, nil
}

// drifted reports whether an apply would change a live object. Most often a look
// tells. Where a field differs although the same was wanted the last time, either
// someone has changed it or the apiserver's side always rewrites it: then a dry
// run tells, and its answer is kept for as long as the object stays like that.
func (a *Applier) drifted(ctx context.Context, w *wanted, live client.Object) (bool, error) {
	if live.GetAnnotations()[HashAnnotation] != w.hash {
		return true, nil
	}
	now, err := formOf(live)
	if err != nil {
		return false, err
	}
	if covers(now, w.form) || a.settled.knows(w, now) {
		return false, nil
	}
	then, err := a.send(ctx, w, live, client.DryRunAll)
	if err != nil {
		return false, fmt.Errorf("dry run: %w", err)
	}
	if content(then) != content(now) {
		return true, nil
	}
	a.settled.keep(w, now)
	return false, nil
}

// update applies to the object that was looked at, and to no other of its name.
func (a *Applier) update(ctx context.Context, w *wanted, live client.Object) error {
	if err := a.takeFields(ctx, w, live); err != nil {
		return err
	}
	now, err := a.send(ctx, w, live)
	if err != nil {
		return err
	}
	if !covers(now, w.form) {
		// This is what the apiserver's side makes of it: to send it again would go on for ever.
		a.settled.keep(w, now)
	}
	return nil
}

func (a *Applier) send(ctx context.Context, w *wanted, live client.Object, options ...client.ApplyOption) (map[string]any, error) {
	object := w.object()
	object.SetUID(live.GetUID()) // another object that has got the name meanwhile is a conflict
	options = append(options, client.ForceOwnership, a.fieldOwner())
	if err := a.Client.Apply(ctx, client.ApplyConfigurationFromUnstructured(object), options...); err != nil {
		return nil, err
	}
	// Read as the Go type, as what is compared with it is: quantities and defaults look the same then.
	typed := w.typed()
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, typed); err != nil {
		return nil, err
	}
	return formOf(typed)
}

// takeFields makes the fields that a create gave us ours by apply. Without it an
// apply could not take away what was there from the beginning.
func (a *Applier) takeFields(ctx context.Context, w *wanted, live client.Object) error {
	var current metav1.PartialObjectMetadata
	current.SetGroupVersionKind(w.gvk)
	if err := a.Live.Get(ctx, w.key, &current); err != nil {
		return err
	}
	if current.GetUID() != live.GetUID() {
		return errors.New("another object has got its name meanwhile")
	}
	patch, err := csaupgrade.UpgradeManagedFieldsPatch(&current, sets.New(a.manager()), a.manager())
	if err != nil || patch == nil {
		return err
	}
	return a.Client.Patch(ctx, &current, client.RawPatch(types.JSONPatchType, patch), a.fieldOwner())
}

func (a *Applier) manager() string {
	if a.FieldManager == "" {
		return Manager
	}
	return a.FieldManager
}

func (a *Applier) fieldOwner() client.FieldOwner { return client.FieldOwner(a.manager()) }
