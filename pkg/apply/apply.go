// Package apply writes desired objects to a cluster by server-side apply, only where the
// live ones have drifted, and never touches an object with another owner.
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

// HashAnnotation holds the hash of the last desired form of an object. It reveals a field
// that is no longer desired: all others still agree with the live object.
const HashAnnotation = "krt.dev/applied-hash"

// MadeAnnotation holds an identifier of what a desired object is derived from, chosen by the
// user of this package. The same program must derive the same object from the same identifier.
const MadeAnnotation = "krt.dev/made-of"

// Manager is the field manager unless Applier.FieldManager names another.
const Manager = "kn-krt"

// parallel is how many objects of one Apply are written at a time.
const parallel = 8

// Applier applies and prunes. Client and Live are required. It may be used by several
// goroutines at once and must not be copied.
type Applier struct {
	// Client reads from a cache (without drift there is no call) and writes. The cache has
	// the index [OwnerIndex] for all kinds that are pruned.
	Client client.Client
	// Live reads from the apiserver. It is used for objects that the cache does not have yet.
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
	// left is not reported as a change.
	left Action = "left"
)

// Change is one object that was written.
type Change struct {
	Kind, Name string
	Action     Action
}

// Result is all that was written, in the order of the desired objects. It is empty if
// nothing had drifted.
type Result struct {
	Changed []Change
	// Kept is how many objects were left as another program has written them: [Applier.ApplyInUse].
	Kept int
}

// Apply writes the desired objects, with owner as their controller. All are tried, at the
// same time; the errors are joined, each names its object, and the result has what was
// written nevertheless. An object of the same name with another controller, or none, is not
// touched: *NotOwnedError. One that is being deleted is not touched either, without an
// error: its deletion will be reported by a watch.
func (a *Applier) Apply(ctx context.Context, owner client.Object, desired ...client.Object) (Result, error) {
	return a.all(ctx, owner, desired, false)
}

// ApplyInUse is [Applier.Apply] for objects that must not change only because the program
// has: an object that has the desired [MadeAnnotation], and was applied in another form, is
// left as it is.
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

// one does what one object needs: nothing, a create or an update.
func (a *Applier) one(ctx context.Context, owner client.Object, w *wanted) (Action, error) {
	live := w.typed()
	err := a.Client.Get(ctx, w.key, live)
	if apierrors.IsNotFound(err) {
		a.settled.forget(object{w.gvk, w.key})
		// A plain create: unlike an apply it never changes an object that the cache does not have.
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

// drifted reports whether an apply would change a live object. Most often comparing them is
// enough. If a field differs although the same was desired the last time, either someone
// has changed it, or the apiserver or a webhook always rewrites it: then a dry run decides,
// and its result is remembered for as long as the object stays like that.
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

// update applies to the object that was compared, and to no other of its name.
func (a *Applier) update(ctx context.Context, w *wanted, live client.Object) error {
	if err := a.takeFields(ctx, w, live); err != nil {
		return err
	}
	now, err := a.send(ctx, w, live)
	if err != nil {
		return err
	}
	if !covers(now, w.form) {
		// The apiserver or a webhook rewrites it: applying it again would never end.
		a.settled.keep(w, now)
	}
	return nil
}

func (a *Applier) send(ctx context.Context, w *wanted, live client.Object, options ...client.ApplyOption) (map[string]any, error) {
	object := w.object()
	object.SetUID(live.GetUID()) // another object that has the name by now is a conflict
	options = append(options, client.ForceOwnership, a.fieldOwner())
	if err := a.Client.Apply(ctx, client.ApplyConfigurationFromUnstructured(object), options...); err != nil {
		return nil, err
	}
	// Read as the Go type, like the object it is compared with, so that quantities and defaults are equal.
	typed := w.typed()
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, typed); err != nil {
		return nil, err
	}
	return formOf(typed)
}

// takeFields moves our ownership of fields from the create to applies. Without it an apply
// could not remove a field that the object has had from the beginning.
func (a *Applier) takeFields(ctx context.Context, w *wanted, live client.Object) error {
	var current metav1.PartialObjectMetadata
	current.SetGroupVersionKind(w.gvk)
	if err := a.Live.Get(ctx, w.key, &current); err != nil {
		return err
	}
	if current.GetUID() != live.GetUID() {
		return errors.New("another object has its name by now")
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
