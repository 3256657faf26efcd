package logs

import (
	"context"
	"slices"
	"sync"

	"krt.dev/kn-krt/pkg/cluster/response"
	"krt.dev/kn-krt/pkg/logline"
)

// pendingLine is the next line of a log, and where those after it come from.
type pendingLine struct {
	logline.Line

	log   *podLog
	lines <-chan logline.Line
	err   error // why the log could not be read to its end; set before lines is closed
}

// merge passes the lines of all logs to the handler, in order of time as far as each log is
// in that order. Only the next line of each log is in memory. It returns early, with an
// error, if the user does not have the right to read logs.
func (s *logs) merge(ctx context.Context, ready []*podLog, to Handler) error {
	ctx, end := context.WithCancelCause(ctx)
	var reading sync.WaitGroup
	defer reading.Wait()
	defer end(nil)
	var next []*pendingLine
	for _, p := range ready {
		lines := make(chan logline.Line)
		pending := &pendingLine{log: p, lines: lines}
		next = append(next, pending)
		reading.Go(func() {
			defer close(lines)
			send := func(l logline.Line) {
				select {
				case lines <- l:
				case <-ctx.Done():
				}
			}
			pending.err = p.read(ctx, readOnce, send)
			p.finish(send)
		})
	}
	next = slices.DeleteFunc(next, func(p *pendingLine) bool { return !p.advance(ctx, end, to) })
	for len(next) > 0 && ctx.Err() == nil {
		at := oldest(next)
		if s.query.wants(&next[at].Line) {
			to.line(next[at].Line)
		}
		if !next[at].advance(ctx, end, to) {
			next = slices.Delete(next, at, at+1)
		}
	}
	return context.Cause(ctx)
}

// advance waits for the log's next line; there is none at its end. A log of a pod that is
// gone by now has ended.
func (p *pendingLine) advance(ctx context.Context, end context.CancelCauseFunc, to Handler) bool {
	var open bool
	p.Line, open = <-p.lines
	switch {
	case open || p.err == nil || response.UnknownName(p.err) || ctx.Err() != nil:
	case response.Denied(p.err):
		end(p.log.logs.Explain(p.err, "cannot read logs"))
	default:
		to.failed(p.log.failed(p.err, false))
	}
	return open
}

// oldest is the index of the oldest line, the first of equals. There are so few logs that
// comparing all of them costs less than parsing a line.
func oldest(next []*pendingLine) int {
	at := 0
	for i := range next {
		if next[i].Time.Before(next[at].Time) {
			at = i
		}
	}
	return at
}
