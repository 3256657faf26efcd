package cluster

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/cluster/follow"
)

// WaitOptions are how long to wait, and where progress goes.
type WaitOptions struct {
	// Timeout is when to give up. Zero is after one look, which may take [LookTime].
	Timeout time.Duration
	// Begun is since when the time counts. Default: now.
	Begun time.Time
	// Window is how long what blocks the goal must last before it fails the wait: much of
	// it passes. Zero fails at once.
	Window time.Duration
	// Progress, if not nil, is called with each observation that differs from the one before. The calls do not overlap.
	Progress func(Progress)
}

// Progress is what a wait observes before it is over.
type Progress struct {
	Observation

	// Elapsed is the time since the wait began.
	Elapsed time.Duration
}

// WaitError is returned when a version has not reached the goal that was waited for.
type WaitError struct {
	Version, Namespace string
	Goal               Goal
	// Observation is the last one.
	Observation Observation
	// Timeout is true if the time was over: the goal may still be reached.
	Timeout bool
}

// Error is what was waited for and what was observed last.
func (e *WaitError) Error() string {
	if !e.Timeout {
		return fmt.Sprintf("version %q is not %s: %v", e.Version, e.Goal.State(), e.Observation)
	}
	text := e.Observation.String()
	if text == "" {
		text = "nothing is known of it"
	}
	return fmt.Sprintf("version %q is not %s yet, it is still %s: %s", e.Version, e.Goal.State(), e.Goal.Ongoing(), text)
}

// LookTime is how long a look may take for which there is no time to wait.
const LookTime = 10 * time.Second

// Limit returns how long to wait at most: timeout, or [LookTime] if that is no time.
func Limit(timeout time.Duration) time.Duration { return cmp.Or(max(timeout, 0), LookTime) }

// quietTime is how long a quiet verdict is kept back.
const quietTime = 5 * time.Second

// followTime bounds the wait for a status that only follows another one.
const followTime = 10 * time.Second

// Wait waits until the named version has reached the goal. A version that does not exist
// has reached GoalDeleted and GoalUnpublished. The error is a [*WaitError], an [*Error], or
// wraps ctx's.
func (c *Client) Wait(ctx context.Context, version string, goal Goal, o WaitOptions) error {
	var err error
	switch goal {
	case GoalPublished, GoalUnpublished:
		published := goal == GoalPublished
		err = wait(ctx, c, o, theRuntime(func(r *v1alpha1.Runtime, exists bool) verdict {
			return judgeRuntime(r, exists, version, published)
		}))
		if err == nil {
			c.waitPhase(ctx, version, published)
		}
	case GoalCanary, GoalAborted:
		judge := judgeCanary
		if goal == GoalAborted {
			judge = judgeAborted
		}
		err = wait(ctx, c, o, theRuntime(func(r *v1alpha1.Runtime, exists bool) verdict { return judge(r, exists, version) }))
	default:
		err = wait(ctx, c, o, c.version(version, goal.judge))
	}
	var failed *WaitError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &failed):
		failed.Version, failed.Namespace, failed.Goal = version, c.namespace, goal
		return failed
	case ctx.Err() != nil:
		return fmt.Errorf("cannot wait for version %q: %w", version, ctx.Err())
	}
	return c.explain(err, fmt.Sprintf("cannot wait for version %q", version))
}

// waitPhase waits until the version's own status has followed the Runtime's, so that what
// is read next agrees with it. If it does not, nothing is wrong.
func (c *Client) waitPhase(ctx context.Context, version string, published bool) {
	_ = wait(ctx, c, WaitOptions{Timeout: followTime}, c.version(version, func(v *v1alpha1.Version, exists bool) verdict {
		return verdict{done: !exists || (v.Status.Phase == v1alpha1.PhasePublished) == published}
	}))
}

// subject is the object whose state a wait judges.
type subject[T client.Object] struct {
	name  string
	list  client.ObjectList // an empty one of the kind
	judge func(object T, exists bool) verdict
}

func theRuntime(judge func(*v1alpha1.Runtime, bool) verdict) subject[*v1alpha1.Runtime] {
	return subject[*v1alpha1.Runtime]{name: v1alpha1.RuntimeName, list: &v1alpha1.RuntimeList{}, judge: judge}
}

func (c *Client) version(name string, judge func(*v1alpha1.Version, bool) verdict) subject[*v1alpha1.Version] {
	return subject[*v1alpha1.Version]{name: name, list: &v1alpha1.VersionList{}, judge: judge}
}

// wait follows the subject until a verdict on it ends the wait.
func wait[T client.Object](ctx context.Context, c *Client, o WaitOptions, s subject[T]) error {
	var following sync.WaitGroup
	defer following.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	verdicts, ended := make(chan verdict), make(chan error, 1)
	judge := func(object T, exists bool) {
		select {
		case verdicts <- s.judge(object, exists):
		case <-ctx.Done():
		}
	}
	f := &follow.Follower[T]{
		Kube: c.kube, List: s.list, Options: c.only(s.name),
		Listed: func(all []T) {
			var object T
			if len(all) > 0 {
				object = all[0]
			}
			judge(object, len(all) > 0)
		},
		Changed: func(object T, gone bool) { judge(object, !gone) },
	}
	following.Go(func() { ended <- f.Run(ctx) })
	return newWaiter(o).wait(ctx, verdicts, ended)
}

// waiter decides by verdicts when a wait is over.
type waiter struct {
	options   WaitOptions
	started   time.Time
	over      <-chan time.Time // when the time to wait is
	last      verdict
	reported  Observation      // the last that was
	failed    <-chan time.Time // when what blocks has lasted long enough; nil while nothing does
	quietOver <-chan time.Time // when a quiet verdict is reported; nil without one
}

func newWaiter(o WaitOptions) *waiter {
	started := cmp.Or(o.Begun, time.Now())
	return &waiter{options: o, started: started, over: time.After(time.Until(started.Add(Limit(o.Timeout))))}
}

// wait returns once a verdict ends the wait, its time is over, ctx is done, or no more verdicts come.
func (w *waiter) wait(ctx context.Context, verdicts <-chan verdict, ended <-chan error) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-ended:
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return err
		case <-w.over:
			return &WaitError{Observation: w.last.Observation, Timeout: true}
		case <-w.quietOver:
			w.report(w.last.Observation)
		case <-w.failed:
			return &WaitError{Observation: w.last.Observation}
		case v := <-verdicts:
			if done, err := w.judge(v); done || err != nil {
				return err
			}
		}
	}
}

// judge reports what is new, and lets what blocks last for a while before it fails the wait.
func (w *waiter) judge(v verdict) (done bool, err error) {
	if w.last = v; w.options.Timeout <= 0 {
		w.over = time.After(0)
	}
	switch {
	case v.done:
		return true, nil
	case !v.quiet:
		w.quietOver = nil
		w.report(v.Observation)
	case w.quietOver == nil:
		w.quietOver = time.After(quietTime)
	}
	switch {
	case v.Blocked() && (v.final || w.options.Window <= 0 && !v.patient):
		return false, &WaitError{Observation: v.Observation}
	case !v.Blocked() || v.patient:
		w.failed = nil
	case w.failed == nil:
		w.failed = time.After(w.options.Window)
	}
	return false, nil
}

// report reports an observation, unless it has no words or is the last one again.
func (w *waiter) report(o Observation) {
	if o == w.reported || o.String() == "" {
		return
	}
	w.reported = o
	if w.options.Progress != nil {
		w.options.Progress(Progress{Observation: o, Elapsed: time.Since(w.started)})
	}
}
