package logs

import (
	"context"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"krt.dev/kn-krt/pkg/cluster/follow"
	"krt.dev/kn-krt/pkg/logline"
)

// Follow reads the logs of a version's pods until ctx ends: what the query selects of
// the pods that are running, in order of time, then their new lines, and all lines of pods and
// containers that start later. New lines of different pods are passed on as they arrive.
//
// A log that breaks off is opened again where it broke off: no line is passed on twice, and
// none is lost that the pod's machine still has. An error of one log does not affect the
// others. Follow returns before ctx ends only if the API server has not responded for a minute,
// or refuses to list pods or to return logs: with an explained error.
func Follow(ctx context.Context, from Cluster, version string, q Query, to Handler) error {
	s, err := newLogs(from, version, q)
	if err != nil {
		return err
	}
	return newLogFollower(s, to).follow(ctx)
}

// goneGrace is how long the log of a pod that has been deleted may still be read.
const goneGrace = 30 * time.Second

// logFollower follows the logs of a version's pods.
type logFollower struct {
	*logs

	pause time.Duration           // before a log is opened again, the first time
	end   context.CancelCauseFunc // ends all

	mu sync.Mutex // held while one of to's functions runs
	to Handler

	streams sync.WaitGroup
	// Of the pods that exist. Only the goroutine of follow uses them.
	pods      map[types.UID]*followedPod
	started   int
	beginning beginning
}

func newLogFollower(s *logs, to Handler) *logFollower {
	return &logFollower{
		logs: s, to: to, pause: follow.RetryPause, pods: map[types.UID]*followedPod{},
		beginning: beginning{patience: beginPatience, over: make(chan struct{})},
	}
}

func (f *logFollower) follow(ctx context.Context) error {
	ctx, f.end = context.WithCancelCause(ctx)
	defer f.streams.Wait()
	defer f.end(nil)
	later := false
	pods := follow.Follower[*corev1.Pod]{
		Kube: f.Kube, List: &corev1.PodList{}, Options: f.ofVersion(),
		Listed: func(all []*corev1.Pod) {
			f.replace(ctx, all, later)
			if !later {
				f.streams.Go(func() { f.beginning.merge(ctx, f.line) })
			}
			later = true
		},
		Changed: func(pod *corev1.Pod, gone bool) {
			if gone {
				f.remove(pod.UID)
			} else {
				f.update(ctx, pod, true)
			}
		},
	}
	err := pods.Run(ctx)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return f.Explain(err, fmt.Sprintf("cannot follow the pods of version %q", f.version))
}

// replace records which pods exist. later is false for the first list of pods.
func (f *logFollower) replace(ctx context.Context, pods []*corev1.Pod, later bool) {
	exist := map[types.UID]bool{}
	for _, pod := range pods {
		exist[pod.UID] = true
		f.update(ctx, pod, later)
	}
	for uid := range f.pods {
		if !exist[uid] {
			f.remove(uid)
		}
	}
}

// update records a pod's state, and starts to follow the log of a new one.
func (f *logFollower) update(ctx context.Context, pod *corev1.Pod, later bool) {
	p := f.pods[pod.UID]
	if p == nil {
		log := f.open(pod)
		if log == nil {
			return
		}
		p = &followedPod{log: log, from: f, changed: make(chan struct{})}
		f.pods[pod.UID] = p
	}
	state := stateOf(pod, p.log.container)
	p.set(state)
	switch {
	case p.cancel != nil:
	case f.started < MaxStreams:
		p.log.complete = later || !state.readable
		if !p.log.complete {
			p.early = f.beginning.join()
		}
		f.started++
		ctx, p.cancel = context.WithCancel(ctx)
		f.streams.Go(func() {
			defer p.cancel()
			p.follow(ctx)
		})
	case !p.refused:
		p.refused = true
		f.failed(p.log.failed(errTooManyLogs, false))
	}
}

// remove ends the log of a pod that no longer exists once all of it has been read.
func (f *logFollower) remove(uid types.UID) {
	p := f.pods[uid]
	if p == nil {
		return
	}
	delete(f.pods, uid)
	p.setGone()
	if p.cancel != nil {
		f.started--
		// If the machine is lost, nothing else ends the logs of its pods.
		time.AfterFunc(goneGrace, p.cancel)
	}
}

// line gives the handler a line, if it is wanted.
func (f *logFollower) line(l logline.Line) {
	if !f.query.wants(&l) {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.to.line(l)
}

func (f *logFollower) failed(err *Error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.to.failed(err)
}
