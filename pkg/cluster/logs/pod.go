package logs

import (
	"context"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"

	"krt.dev/kn-krt/pkg/cluster/follow"
	"krt.dev/kn-krt/pkg/cluster/response"
	"krt.dev/kn-krt/pkg/logline"
)

// logTries is how often a log is opened in a row without a line, before it is given up until
// the pod changes: for about a minute, with growing pauses.
const logTries = 16

// podState is what the log of a pod depends on.
type podState struct {
	// container and restarts identify what runs, or ran last.
	container string
	restarts  int32
	running   bool
	// readable is set once there is a log.
	readable bool
	// revision is the version of the object, which differs after each change.
	revision string
	gone     bool
}

// stateOf returns the state of one of the pod's containers.
func stateOf(pod *corev1.Pod, container string) podState {
	state := podState{revision: pod.ResourceVersion}
	for _, s := range pod.Status.ContainerStatuses {
		if s.Name == container {
			state.container, state.restarts, state.running = s.ContainerID, s.RestartCount, s.State.Running != nil
			state.readable = state.running || s.State.Terminated != nil || s.RestartCount > 0
		}
	}
	return state
}

// sameContainer reports whether the log is still that of the same container.
func (s podState) sameContainer(other podState) bool {
	return s.container == other.container && s.restarts == other.restarts
}

// followedPod follows the log of a pod through all restarts of its container.
type followedPod struct {
	from    *logFollower
	log     *podLog
	cancel  context.CancelFunc // nil unless the log is being followed
	refused bool               // there are too many others
	early   *earlyLog          // nil if the log has no part in the beginning

	mu      sync.Mutex
	state   podState
	changed chan struct{} // closed at the next change

	// What follows is used by follow only.
	tries  int
	pauses follow.Backoff
}

// follow reads the log until the pod is gone.
func (p *followedPod) follow(ctx context.Context) {
	p.recover()
	state := p.wait(ctx, 0, func(s podState) bool { return s.readable || s.gone })
	if p.early != nil {
		p.begin(ctx)
	}
	for ctx.Err() == nil && !state.gone {
		before, begun := p.log.last, time.Now()
		err := p.read(ctx)
		if p.log.last != before || time.Since(begun) > follow.Steady {
			p.recover()
		}
		switch {
		case ctx.Err() != nil:
		case err == nil:
			state = p.next(ctx, state)
		case response.UnknownName(err):
			// The pod is gone, or its machine: a change of the pod will show which.
			state = p.wait(ctx, 0, state.changed)
		case response.Denied(err):
			p.from.end(p.from.Explain(err, "cannot read logs"))
		default:
			state = p.retry(ctx, state, err)
		}
	}
	p.log.finish(p.from.line)
}

// read reads the log to its end. Unless it is opened for the first time, the log of the
// previous container is read before: another container may run by now, whatever the last
// known state of the pod is, and the log of the one before may have broken off.
func (p *followedPod) read(ctx context.Context) error {
	if !p.log.begun.IsZero() {
		// Usually there is no such container, or nothing new in its log.
		_ = p.log.read(ctx, readPrevious, p.from.line)
	}
	if err := p.catchUp(ctx, p.from.line); err != nil {
		return err
	}
	return p.log.read(ctx, readFollowed, p.from.line)
}

// catchUp reads the last lines of a log that the query limits to its tail, so that it is
// known where to continue even if the stream breaks off before the next line.
func (p *followedPod) catchUp(ctx context.Context, show func(logline.Line)) error {
	log, query := p.log, p.from.query
	if query.Tail == nil || log.complete || log.caughtUp || !log.last.IsZero() {
		return nil
	}
	if *query.Tail == 0 {
		show = func(logline.Line) {}
	}
	if err := log.read(ctx, readLatest, show); err != nil {
		return err
	}
	log.caughtUp = true
	log.complete = query.Since == 0 && log.last.IsZero() // it was empty
	return nil
}

// next waits, at the end of a stream, until there may be more to read: of the container
// that starts next, or of the same one if it runs: then only the stream has ended.
func (p *followedPod) next(ctx context.Context, read podState) podState {
	another := func(s podState) bool { return !s.sameContainer(read) || s.gone }
	state := p.wait(ctx, p.pauses.Next(), func(s podState) bool { return another(s) || !s.running })
	if another(state) || state.running || ctx.Err() != nil {
		return state
	}
	if read.running {
		return state // the container has ended since: its last lines may be missing
	}
	p.log.finish(p.from.line)
	return p.wait(ctx, 0, func(s podState) bool { return another(s) || s.running })
}

// retry reports the first failure in a row, and waits before the log is opened again.
func (p *followedPod) retry(ctx context.Context, read podState, err error) podState {
	p.tries++
	if p.tries == 1 {
		p.from.failed(p.log.failed(err, true))
	}
	if p.tries < logTries {
		return p.wait(ctx, p.pauses.Next(), func(s podState) bool { return s.gone })
	}
	p.from.failed(p.log.failed(err, false))
	p.recover()
	return p.wait(ctx, 0, read.changed)
}

// recover makes the next failure the first one.
func (p *followedPod) recover() { p.tries, p.pauses = 0, follow.NewBackoff(p.from.pause) }

// changed reports whether the pod has changed since s.
func (s podState) changed(now podState) bool { return now.revision != s.revision || now.gone }

// set records the pod's state.
func (p *followedPod) set(s podState) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.state = s
	close(p.changed)
	p.changed = make(chan struct{})
}

func (p *followedPod) setGone() {
	p.mu.Lock()
	s := p.state
	p.mu.Unlock()
	s.gone, s.running = true, false
	p.set(s)
}

// wait returns the pod's state as soon as it is wanted, or any state after the limit; a
// limit of 0 is none.
func (p *followedPod) wait(ctx context.Context, limit time.Duration, wanted func(podState) bool) podState {
	var over <-chan time.Time
	if limit > 0 {
		over = time.After(limit)
	}
	for {
		p.mu.Lock()
		state, changed := p.state, p.changed
		p.mu.Unlock()
		if wanted(state) {
			return state
		}
		select {
		case <-changed:
		case <-over:
			return state
		case <-ctx.Done():
			return state
		}
	}
}
