package logs

import (
	"context"
	"slices"
	"time"

	"krt.dev/kn-krt/pkg/logline"
)

// beginPatience is how long a log may keep the beginning of all others waiting for its next line.
const beginPatience = 3 * time.Second

// beginning is what the logs of the pods that are found first have until then. Its lines are passed
// on in the order of time, and only the next one of each log is in memory. Nothing is followed before
// it is over.
type beginning struct {
	patience time.Duration
	logs     []*earlyLog
	over     chan struct{} // closed once all is passed on
}

// earlyLog is one of the logs of a beginning.
type earlyLog struct {
	lines chan logline.Line // closed at the end
	late  chan struct{}     // closed once nobody waits for the log any more
	next  logline.Line
}

// join adds a log.
func (b *beginning) join() *earlyLog {
	e := &earlyLog{lines: make(chan logline.Line), late: make(chan struct{})}
	b.logs = append(b.logs, e)
	return e
}

// merge passes on the lines of all logs. A log that does not continue in time, because its machine is
// lost, is not waited for: its lines are passed on when they arrive.
func (b *beginning) merge(ctx context.Context, pass func(logline.Line)) {
	defer close(b.over)
	deadline := time.Now().Add(b.patience) // of all, because they are opened at the same time
	waiting := slices.DeleteFunc(slices.Clone(b.logs), func(e *earlyLog) bool { return !e.advance(ctx, time.Until(deadline)) })
	for len(waiting) > 0 && ctx.Err() == nil {
		at := 0
		for i := range waiting {
			if waiting[i].next.Time.Before(waiting[at].next.Time) {
				at = i
			}
		}
		pass(waiting[at].next)
		if !waiting[at].advance(ctx, b.patience) {
			waiting = slices.Delete(waiting, at, at+1)
		}
	}
}

// advance waits for the next line; there is none at the end, or if it does not come in time.
func (e *earlyLog) advance(ctx context.Context, patience time.Duration) (open bool) {
	select {
	case e.next, open = <-e.lines:
		return open
	default:
	}
	limit := time.NewTimer(patience)
	defer limit.Stop()
	select {
	case e.next, open = <-e.lines:
		return open
	case <-limit.C:
	case <-ctx.Done():
	}
	close(e.late)
	return false
}

// begin reads what the log has until now, and waits until the beginning of all logs is over. What
// cannot be read of it now is read when it is followed.
func (p *followedPod) begin(ctx context.Context) {
	early, over := p.early, p.from.beginning.over
	p.early = nil
	pass := func(l logline.Line) {
		if !p.from.query.wants(&l) {
			return
		}
		select {
		case early.lines <- l:
		case <-early.late:
			p.from.line(l)
		case <-ctx.Done():
		}
	}
	if p.from.query.Tail == nil {
		_ = p.log.read(ctx, readOnce, pass)
	} else {
		_ = p.catchUp(ctx, pass)
	}
	close(early.lines)
	select {
	case <-over:
	case <-ctx.Done():
	}
}
