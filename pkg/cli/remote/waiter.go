package remote

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"krt.dev/kn-krt/pkg/cli/term"
)

// waitFlags say whether and how long a verb waits: kn's own.
type waitFlags struct {
	wait, noWait bool
	timeout      int // seconds
	window       int // seconds
}

// maxWait is the most seconds a verb waits: a week.
const maxWait = 7 * 24 * 60 * 60

// addFlags gives cmd the flags. until completes "… before giving up on waiting for the version to be".
func (f *waitFlags) addFlags(cmd *cobra.Command, wait bool, until string) {
	flags := cmd.Flags()
	flags.BoolVar(&f.wait, "wait", wait, "wait until the version is "+until)
	flags.BoolVar(&f.noWait, "no-wait", !wait, "do not wait until the version is "+until)
	f.addLimits(cmd, until)
}

// addLimits gives cmd the flags of a verb that always waits.
func (f *waitFlags) addLimits(cmd *cobra.Command, until string) {
	flags := cmd.Flags()
	f.timeout, f.window = 600, 10
	term.RangeVar(flags, &f.timeout, "wait-timeout", [2]int{0, maxWait}, "seconds to wait before giving up on waiting for the version to be "+until)
	term.RangeVar(flags, &f.window, "wait-window", [2]int{0, maxWait}, "seconds that a cause which needs a person must stand before waiting fails")
}

// prepare checks the flags.
func (f *waitFlags) prepare(cmd *cobra.Command) error {
	wait, noWait := cmd.Flag("wait"), cmd.Flag("no-wait")
	if wait != nil && wait.Changed && noWait.Changed {
		return term.UsageError(cmd, "only one of --wait and --no-wait can be given")
	}
	if noWait != nil && noWait.Changed {
		f.wait = !f.noWait
	}
	return nil
}

// verdict is what a look at an object says about what is waited for.
type verdict struct {
	done bool
	// cause is why it will not come about without a person; "" if nothing is wrong.
	cause string
	// final says that the cause cannot pass by itself: there is nothing to wait for.
	final bool
	// patient says that the cause passes by itself where a cluster grows: it is told,
	// and does not fail the wait.
	patient bool
	// now is what is going on, for a progress line.
	now string
	// quiet keeps that line back for a while: mostly it is over in no time.
	quiet bool
}

// quietTime is how long a quiet verdict is kept back.
const quietTime = 5 * time.Second

// waiter looks at one object of the cluster until a verdict is reached.
type waiter[T client.Object] struct {
	c    *Cluster
	out  io.Writer
	name string
	// object and list are empty ones of the kind.
	object T
	list   client.ObjectList
	// judge looks at the object; exists is false once it is gone.
	judge func(object T, exists bool) verdict

	begun time.Time
	heard time.Time        // when the cluster answered last; zero before it has
	told  string           // the last progress line
	last  verdict          // of the last look
	mends <-chan time.Time // when a standing cause has stood long enough; nil without one
	speak <-chan time.Time // when a quiet verdict is told; nil without one
}

// errNotSoon says that the time for waiting is over.
var errNotSoon = errors.New("not in time")

// waitError says why what was waited for has not come about.
type waitError struct {
	cause   string
	timeout bool
}

// Error is the cause, as the object's conditions tell it.
func (e *waitError) Error() string { return e.cause }

// wait returns once the verdict is done. Its error is a *waitError, the context's,
// or the cluster's.
func (w *waiter[T]) wait(ctx context.Context, f waitFlags) error {
	w.begun = time.Now()
	// Without any time at all there is a look still, which takes a moment.
	limited, cancel := context.WithTimeoutCause(ctx, time.Duration(max(f.timeout, 1))*time.Second, errNotSoon)
	defer cancel()
	window := time.Duration(f.window) * time.Second
	for {
		done, err := w.once(limited, window)
		switch {
		case done:
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case limited.Err() != nil:
			return &waitError{cause: cmp.Or(w.last.cause, w.last.now, "nothing has been heard of it"), timeout: true}
		case err != nil:
			return err
		}
	}
}

// once reads the object and follows its changes until the watch ends, which it
// does now and then.
func (w *waiter[T]) once(ctx context.Context, window time.Duration) (done bool, err error) {
	object := w.object.DeepCopyObject().(T)
	err = w.c.Get(ctx, w.c.key(w.name), object)
	if err != nil && !IsUnknownName(err) {
		return false, w.explain(ctx, err)
	}
	if done, err := w.look(object, err == nil, window); done || err != nil {
		return done, err
	}
	changes, err := w.c.Watch(ctx, w.list, w.c.in(), client.MatchingFields{"metadata.name": w.name},
		&client.ListOptions{Raw: &metav1.ListOptions{ResourceVersion: object.GetResourceVersion()}})
	if err != nil {
		return false, w.explain(ctx, err)
	}
	defer changes.Stop()
	return w.follow(ctx, changes, window)
}

// follow looks at each change until a verdict is reached or the watch ends.
func (w *waiter[T]) follow(ctx context.Context, changes watch.Interface, window time.Duration) (done bool, err error) {
	for {
		select {
		case <-ctx.Done():
			return false, nil
		case <-w.speak:
			w.tell(w.last.now)
		case <-w.mends:
			return false, &waitError{cause: w.last.cause}
		case change, open := <-changes.ResultChan():
			if !open || change.Type == watch.Error {
				pause(ctx)
				return false, nil
			}
			object, ok := change.Object.(T)
			if !ok {
				continue // a bookmark
			}
			if done, err := w.look(object, change.Type != watch.Deleted, window); done || err != nil {
				return done, err
			}
		}
	}
}

// silence is how long a cluster that has answered before may give no answer: one
// that is updated, or whose leader changes, is back by then.
const silence = time.Minute

// explain says why the cluster cannot be asked; nil, after a pause, when that may
// be over soon.
func (w *waiter[T]) explain(ctx context.Context, err error) error {
	if isBlip(err) && !w.heard.IsZero() && time.Since(w.heard) < silence {
		pause(ctx)
		return nil
	}
	return w.c.Explain(err, fmt.Sprintf("cannot wait for %q", w.name))
}

// look judges the object, tells what is new, and lets a cause stand for a while
// before it fails the wait: many pass.
func (w *waiter[T]) look(object T, exists bool, window time.Duration) (done bool, err error) {
	w.heard = time.Now()
	w.last = w.judge(object, exists)
	switch {
	case w.last.done:
	case w.last.quiet:
		if w.speak == nil {
			w.speak = time.After(quietTime)
		}
	default:
		w.speak = nil
		w.tell(cmp.Or(w.last.cause, w.last.now))
	}
	switch {
	case w.last.done:
		return true, nil
	case w.last.final && w.last.cause != "":
		return false, &waitError{cause: w.last.cause}
	case w.last.cause == "" || w.last.patient:
		w.mends = nil
	case w.mends == nil:
		w.mends = time.After(window)
	}
	return false, nil
}

// tell prints a progress line as kn does, unless it is empty or the last one.
func (w *waiter[T]) tell(text string) {
	if text == "" || text == w.told {
		return
	}
	fmt.Fprintf(w.out, "%7.3fs %s\n", time.Since(w.begun).Seconds(), text)
	w.told = text
}

// pause keeps a cluster that ends watches at once from being asked without a pause.
func pause(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-time.After(200 * time.Millisecond):
	}
}
