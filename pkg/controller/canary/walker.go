package canary

import (
	"cmp"
	"context"
	"maps"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/types"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/judge"
	"krt.dev/kn-krt/pkg/observe"
)

const (
	// Interval is the time between two readings unless another one is set, and readTime what one of
	// them may take.
	Interval = 15 * time.Second
	readTime = 10 * time.Second
	// atOnce is how many plans are measured at a time.
	atOnce = 16
)

// Task is what is measured for the present step of a plan.
type Task struct {
	Namespace, Published, Canary string
	Since                        time.Time
	Limits                       v1alpha1.CanaryLimits
}

// Measurement is what was measured at a time.
type Measurement struct {
	Reading
	// Unread is why not all entrypoints were read; empty if they were.
	Unread string
	// Published and Canary are the predictions of both that were right.
	PublishedCorrect, CanaryCorrect judge.Share
	// Queries has the results of queries, by their name.
	Queries map[string]float64
	// Away is why a value could not be measured, by its name.
	Away map[string]string
}

// Walker walks plans: it keeps what is known about their present steps, and has it measured. Of canaries
// without a plan it counts the requests.
type Walker struct {
	measure  func(context.Context, Task) Measurement
	interval time.Duration

	mu    sync.Mutex
	walks map[types.UID]*walk
	// fresh has a value while there are walks that have never been measured.
	fresh chan struct{}
}

// walk is one plan.
type walk struct {
	key    types.NamespacedName
	id     string
	task   Task
	status *v1alpha1.CanaryStatus
	// window is nil unless requests are counted.
	window   *window
	last     *Reading
	evidence *Evidence
	// counted is what another controller has counted before of a canary without a plan.
	counted v1alpha1.CanarySamples
}

// NewWalker returns a Walker that measures with measure, which must end within its context, with
// interval between two times; [Interval] if that is 0.
func NewWalker(measure func(context.Context, Task) Measurement, interval time.Duration) *Walker {
	return &Walker{measure: measure, interval: cmp.Or(interval, Interval), walks: map[types.UID]*walk{}, fresh: make(chan struct{}, 1)}
}

// Walk goes on with the plan of a Runtime's canary: cause is why the canary gets no requests now,
// whatever the plan; nil if it may get them. It returns the state, and after what time to call it
// again; 0 if only news matter. What this Walker has decided before counts more than the status,
// which may be older.
func (k *Walker) Walk(rt *v1alpha1.Runtime, cause *observe.Cause, now time.Time) (v1alpha1.CanaryStatus, time.Duration) {
	now = now.Truncate(time.Second) // as times are in a status
	id := rt.Spec.Canary.ID(rt.Status.PublishedVersion)
	k.mu.Lock()
	defer k.mu.Unlock()
	w := k.walks[rt.UID]
	if w == nil || w.id != id {
		w = &walk{key: types.NamespacedName{Namespace: rt.Namespace, Name: rt.Name}, id: id, status: rt.Status.Canary}
		k.walks[rt.UID] = w
	}
	out := Next(Input{Spec: rt.Spec.Canary, ID: id, Before: w.status, Now: now, Cause: cause, Evidence: w.evidence})
	w.status = out.Status.DeepCopy()
	if out.Begins {
		k.begin(w, rt, now)
	}
	if counts := w.status.Phase == v1alpha1.CanaryProgressing || w.status.Phase == v1alpha1.CanaryPaused; !counts {
		w.window, w.evidence, w.last = nil, nil, nil // what is counted until the next step begins is not its
	}
	return out.Status, out.Due
}

// Count returns what a canary without a plan has got, and the published version meanwhile, since the
// canary began to get what it gets. What another controller has counted before stays.
func (k *Walker) Count(rt *v1alpha1.Runtime, now time.Time) v1alpha1.CanarySamples {
	id := rt.Spec.Canary.ID(rt.Status.PublishedVersion)
	k.mu.Lock()
	defer k.mu.Unlock()
	w := k.walks[rt.UID]
	if w == nil || w.id != id {
		w = &walk{key: types.NamespacedName{Namespace: rt.Namespace, Name: rt.Name}, id: id}
		if s := rt.Status.Canary; s != nil && s.Of == id && s.Phase == v1alpha1.CanaryServing {
			w.counted = s.Samples
		}
		k.walks[rt.UID] = w
		k.begin(w, rt, now.Truncate(time.Second))
	}
	n := w.evidence.samples()
	return v1alpha1.CanarySamples{
		Published: w.counted.Published + n.Published, Canary: w.counted.Canary + n.Canary,
		Fallbacks: w.counted.Fallbacks + n.Fallbacks,
		Mirrored:  w.counted.Mirrored + n.Mirrored, Equal: w.counted.Equal + n.Equal,
	}
}

// begin begins to count for a step, or for a canary without a plan.
func (k *Walker) begin(w *walk, rt *v1alpha1.Runtime, now time.Time) {
	w.task = Task{Namespace: rt.Namespace, Published: rt.Status.PublishedVersion, Canary: rt.Spec.Canary.Version, Since: now}
	if plan := rt.Spec.Canary.Plan; plan != nil {
		w.task.Limits = *plan.Limits.DeepCopy()
	}
	if w.last != nil && now.Sub(w.last.At) > k.interval {
		w.last = nil // it is of before a pause
	}
	w.window = newWindow(w.last)
	w.evidence = &Evidence{Looks: judge.Looks{}, Window: Counts{}.judged(w.task.Published, w.task.Canary)}
	if w.last == nil {
		select {
		case k.fresh <- struct{}{}:
		default:
		}
	}
}

// Forget forgets what is known about the canary of a Runtime.
func (k *Walker) Forget(uid types.UID) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.walks, uid)
}

// Keep forgets the plans of all Runtimes but these.
func (k *Walker) Keep(runtimes map[types.UID]bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	maps.DeleteFunc(k.walks, func(uid types.UID, _ *walk) bool { return !runtimes[uid] })
}

// Run measures at intervals, and what has just begun at once, until ctx ends. It calls news
// for each Runtime about which something may be new.
func (k *Walker) Run(ctx context.Context, news func(types.NamespacedName)) {
	tick := time.NewTicker(k.interval)
	defer tick.Stop()
	for {
		all := true
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-k.fresh:
			all = false
		}
		k.round(ctx, all, news)
	}
}

// round measures once: all plans, or those that have never been measured.
func (k *Walker) round(ctx context.Context, all bool, news func(types.NamespacedName)) {
	var group errgroup.Group
	group.SetLimit(atOnce)
	for w, task := range k.tasks(all) {
		group.Go(func() error {
			within, cancel := context.WithTimeout(ctx, readTime)
			defer cancel()
			m := k.measure(within, task)
			if ctx.Err() == nil && k.add(w, task, m) {
				news(w.key)
			}
			return nil
		})
	}
	_ = group.Wait()
}

func (k *Walker) tasks(all bool) map[*walk]Task {
	k.mu.Lock()
	defer k.mu.Unlock()
	tasks := map[*walk]Task{}
	for _, w := range k.walks {
		if w.window != nil && (all || w.last == nil) {
			tasks[w] = w.task
		}
	}
	return tasks
}

// add adds a measurement, unless it is about a step that has ended meanwhile.
func (k *Walker) add(w *walk, task Task, m Measurement) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if w.window == nil || !w.task.Since.Equal(task.Since) {
		return false
	}
	w.last = &m.Reading
	w.window.add(w.last)
	counts, e := w.window.counts(), w.evidence
	e.Window, e.Fallbacks, e.Unread = counts.judged(task.Published, task.Canary), counts.Fallbacks, m.Unread
	e.Window.Published.Correct, e.Window.Canary.Correct = m.PublishedCorrect, m.CanaryCorrect
	e.Window.Queries, e.Window.Away = m.Queries, m.Away
	if m.Unread == "" {
		e.At = m.At
	}
	return true
}
