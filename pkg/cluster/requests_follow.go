package cluster

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"krt.dev/kn-krt/pkg/cluster/follow"
	"krt.dev/kn-krt/pkg/cluster/response"
	"krt.dev/kn-krt/pkg/inspection"
)

// Causes of a [ReplicaError] while requests are followed.
var (
	errPodGone = errors.New("the pod has been stopped")
	errNoMore  = errors.New("the entrypoint has ended the connection")
)

// Follow calls each for every request that f selects, as soon as it has its response: first
// the newest f.Limit of each pod, oldest first, then new ones, also of pods that start later.
// The calls do not overlap. A pod that is stopped or cannot be reached is reported, and one
// that cannot be reached is asked again until it is gone; requests of the others go on. It
// returns the error of each, ctx's, or an error as that of List.
func (r *Requests) Follow(ctx context.Context, f inspection.Filter, each func(inspection.Line) error) error {
	if _, err := r.c.entrypointPods(ctx, r.version); err != nil {
		return err
	}
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	all := &replicas{Requests: r, filter: f, each: each, end: end, known: map[types.UID]*replica{}}
	defer all.reading.Wait()
	defer end(nil)
	pods := follow.Follower[*corev1.Pod]{
		Kube: r.c.kube, List: &corev1.PodList{}, Options: r.c.ofEntrypoint(r.version),
		Listed:  func(pods []*corev1.Pod) { all.replace(ctx, pods) },
		Changed: func(pod *corev1.Pod, gone bool) { all.update(ctx, pod, gone) },
	}
	err := pods.Run(ctx)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return r.c.explain(err, fmt.Sprintf("cannot follow the pods of the entrypoint of version %q", r.version))
}

// replicas are the pods whose requests are followed.
type replicas struct {
	*Requests

	filter  inspection.Filter
	end     context.CancelCauseFunc // ends all
	reading sync.WaitGroup

	calling sync.Mutex // held while each runs
	each    func(inspection.Line) error

	// Of the pods that are ready. Only the goroutine of Follow uses them.
	known map[types.UID]*replica
	later bool // the first list of pods is known
}

// replica is one pod whose requests are followed.
type replica struct {
	pod    string
	cancel context.CancelFunc
	listed bool // it is known which requests from before are not wanted
	passed int  // how many requests were passed on

	// seen are the last requests that were passed on or are not wanted, in the order of the
	// pod. There are no more than a pod keeps, so none of them can come again without being here.
	seen []requestKey
}

// requestKey identifies a record of a request. One that was refused has no id.
type requestKey struct {
	id         string
	begin      int64 // in nanoseconds
	background bool
}

func keyOf(r *inspection.Request) requestKey {
	return requestKey{r.ID, r.Begin.UnixNano(), r.Background}
}

// see notes a request, and reports whether it is new.
func (p *replica) see(r *inspection.Request) bool {
	key := keyOf(r)
	if slices.Contains(p.seen, key) {
		return false
	}
	if len(p.seen) == inspection.MaxRequests {
		p.seen = slices.Delete(p.seen, 0, 1)
	}
	p.seen = append(p.seen, key)
	return true
}

// replace records which pods there are.
func (f *replicas) replace(ctx context.Context, pods []*corev1.Pod) {
	there := map[types.UID]bool{}
	for _, pod := range pods {
		there[pod.UID] = true
		f.update(ctx, pod, false)
	}
	for uid := range f.known {
		if !there[uid] {
			f.remove(uid)
		}
	}
	f.later = true
}

// update follows a pod once it is ready, until it is being deleted.
func (f *replicas) update(ctx context.Context, pod *corev1.Pod, gone bool) {
	switch known := f.known[pod.UID] != nil; {
	case known && (gone || pod.DeletionTimestamp != nil):
		f.remove(pod.UID)
	case !known && !gone && podReady(pod):
		p := &replica{pod: pod.Name, listed: f.later} // of one that starts later all is wanted
		f.known[pod.UID] = p
		ctx, p.cancel = context.WithCancel(ctx)
		f.reading.Go(func() {
			defer p.cancel()
			f.follow(ctx, p)
		})
	}
}

// remove ends the following of a pod.
func (f *replicas) remove(uid types.UID) {
	p := f.known[uid]
	delete(f.known, uid)
	p.cancel()
	f.report(&ReplicaError{Version: f.version, Pod: p.pod, Err: errPodGone})
}

// follow follows the requests of a pod until ctx ends, or it has none for us.
func (f *replicas) follow(ctx context.Context, p *replica) {
	pauses, failed := follow.NewBackoff(follow.RetryPause), false
	for ctx.Err() == nil {
		began, before := time.Now(), p.passed
		err := f.askOne(ctx, p.pod, func(ctx context.Context, _ string, from *inspection.Client) error { return f.read(ctx, p, from) })
		if ctx.Err() != nil {
			return
		}
		if response.Denied(err) {
			f.end(err)
			return
		}
		if p.passed != before || time.Since(began) > follow.Steady {
			pauses, failed = follow.NewBackoff(follow.RetryPause), false
		}
		e := f.replicaError(p.pod, err)
		e.Retrying = !e.Older
		if !failed {
			f.report(e)
		}
		if !e.Retrying {
			return
		}
		failed = true
		select {
		case <-ctx.Done():
		case <-time.After(pauses.Next()):
		}
	}
}

// skip notes which requests of a pod are not wanted: those before its newest f.filter.Limit.
func (f *replicas) skip(ctx context.Context, p *replica, from *inspection.Client) error {
	if p.listed {
		return nil
	}
	filter := f.filter
	filter.Limit = inspection.MaxRequests
	list, err := from.List(ctx, filter)
	if err != nil {
		return err
	}
	p.listed = true
	for i := len(list) - 1; i >= f.filter.Limit; i-- { // the newest is the first
		p.see(&list[i])
	}
	return nil
}

// read passes on the requests of a pod, as far as they are new. All that the pod keeps is read
// each time: the order in which requests come is not that in which they have ended.
func (f *replicas) read(ctx context.Context, p *replica, from *inspection.Client) error {
	if err := f.skip(ctx, p, from); err != nil {
		return err
	}
	filter := f.filter
	filter.Limit = inspection.MaxRequests
	err := from.Follow(ctx, filter, func(l inspection.Line) error {
		if r := l.Request; r != nil {
			if !p.see(r) {
				return nil
			}
			r.Replica = p.pod
			p.passed++
		}
		f.calling.Lock()
		defer f.calling.Unlock()
		if ctx.Err() != nil {
			return ctx.Err()
		}
		err := f.each(l)
		if err != nil {
			f.end(err)
		}
		return err
	})
	if err == nil {
		return errNoMore
	}
	return err
}

// One calls f with a client of one ready pod of the entrypoint: of the next if that cannot be asked. Its
// error is as that of List, or f's.
func (r *Requests) One(ctx context.Context, f func(context.Context, *inspection.Client) error) error {
	pods, err := r.c.entrypointPods(ctx, r.version)
	for _, pod := range pods {
		called, own := false, error(nil)
		err = r.askOne(ctx, pod, func(ctx context.Context, _ string, from *inspection.Client) error {
			called, own = true, f(ctx, from)
			return own
		})
		if called {
			return own
		}
	}
	return err
}
