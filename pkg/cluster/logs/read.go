package logs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"krt.dev/kn-krt/pkg/logline"
)

// reading is a way to read a pod's log.
type reading int

const (
	readOnce     reading = iota // to its end: what the query wants of it
	readLatest                  // the same, and at least one line, if there is any
	readFollowed                // as long as the container runs
	readPrevious                // to its end, of the container that ran before this one
)

// podLog is the log of the container of a pod that runs a node or the entrypoint. It can be
// read repeatedly, and passes on no line twice.
type podLog struct {
	logs      *logs
	node, pod string
	container string
	// complete is set if Since and Tail of the query do not apply, because the pod started
	// after the version's logs were opened.
	complete bool
	// caughtUp is set once the tail that the query wants has been read.
	caughtUp bool

	begun time.Time // when the log was opened first; zero before
	last  logline.Mark
	// untimed is the last line without a time: the kubelet's own message, which may be in
	// each response until its cause is over.
	untimed string
	// rest is the beginning of a line in which the log broke off. The whole line is passed
	// on when the log is opened again, or this if that does not have it.
	rest *logline.Line
}

// read passes the lines of the log that are new to f. It returns nil at the end of the log.
func (p *podLog) read(ctx context.Context, how reading, f func(logline.Line)) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	limit := &idleLimit{limit: p.logs.Timeout, cancel: cancel}
	if how == readFollowed {
		limit.limit = 0 // a node may log nothing for days; the response begins with its first line
	}
	asked := time.Now()
	stream, err := p.stream(ctx, how, limit)
	if err != nil {
		return causeOf(ctx, err)
	}
	defer stream.Close()
	if p.begun.IsZero() {
		p.begun = asked
	}
	limit.from = stream
	again := p.last.Replay()
	for lines := logline.NewReader(limit); ; {
		text, whole, err := lines.Next()
		switch l := p.line(text); {
		case whole:
			p.receive(l, again, f)
		case text != "" && (errors.Is(err, io.EOF) || !l.Time.IsZero()) && !again.Seen(l.Time):
			p.rest = &l
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return causeOf(ctx, err)
		}
	}
}

// stream opens the log, when few enough others are being opened; one that is followed does
// not wait for that, because its response begins with its next line.
func (p *podLog) stream(ctx context.Context, how reading, limit *idleLimit) (io.ReadCloser, error) {
	if how != readFollowed {
		select {
		case p.logs.opening <- struct{}{}:
			defer func() { <-p.logs.opening }()
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	defer limit.begin()()
	return p.logs.pods.GetLogs(p.pod, p.options(how)).Stream(ctx)
}

func (p *podLog) line(text string) logline.Line {
	l := logline.Parse(text)
	l.Node, l.Pod = p.node, p.pod
	return l
}

// receive passes a line on unless it was passed on before.
func (p *podLog) receive(l logline.Line, again *logline.Replay, f func(logline.Line)) {
	if again.Seen(l.Time) {
		return
	}
	if p.rest != nil && p.rest.Time.Equal(l.Time) && strings.HasPrefix(l.Text, p.rest.Text) {
		p.rest = nil // it is the beginning of this line
	}
	p.finish(f)
	p.pass(l, f)
}

// finish passes on the line in which the log broke off as far as it was read.
func (p *podLog) finish(f func(logline.Line)) {
	if l := p.rest; l != nil {
		p.rest = nil
		p.pass(*l, f)
	}
}

// pass passes a line on, unless it is the kubelet's last message again.
func (p *podLog) pass(l logline.Line, f func(logline.Line)) {
	if l.Time.IsZero() {
		if l.Text == p.untimed {
			return
		}
		p.untimed = l.Text
	}
	p.last.Add(l.Time, p.limited())
	f(l)
}

// options select a part of the log. An API server accepts whole seconds only: lines of the
// last one that were read are returned again.
func (p *podLog) options(how reading) *corev1.PodLogOptions {
	o := &corev1.PodLogOptions{Container: p.container, Follow: how == readFollowed, Previous: how == readPrevious, Timestamps: true}
	query := p.logs.query
	switch {
	case !p.last.IsZero():
		o.SinceTime = new(metav1.NewTime(p.last.Second()))
	case how == readPrevious:
		// What it logged before this log was opened is not a part of it.
		o.SinceSeconds = wholeSeconds(time.Since(p.begun))
	case !p.complete && query.Since > 0:
		since := query.Since
		if !p.begun.IsZero() {
			since += time.Since(p.begun)
		}
		// Relative to the clock of the pod's machine, from which ours may differ.
		o.SinceSeconds = wholeSeconds(since)
	}
	switch tail := query.Tail; {
	case tail == nil || p.complete:
	case how == readOnce:
		o.TailLines = tail
	case how == readLatest:
		o.TailLines = new(max(*tail, 1))
	}
	return o
}

// wholeSeconds rounds up: an API server accepts no fractions, and not 0.
func wholeSeconds(d time.Duration) *int64 { return new(max(1, int64(math.Ceil(d.Seconds())))) }

// limited reports whether the query leaves out lines at the beginning of the log.
func (p *podLog) limited() bool {
	return !p.complete && (p.logs.query.Since > 0 || p.logs.query.Tail != nil)
}

// failed describes what went wrong with the log.
func (p *podLog) failed(err error, retrying bool) *Error {
	doing := fmt.Sprintf("cannot read the log of %s (pod %s)", p.node, p.pod)
	return &Error{Node: p.node, Pod: p.pod, Retrying: retrying, Err: p.logs.Explain(err, doing)}
}

// errNoResponse is the error of a log that stops before its end.
var errNoResponse = errors.New("no response in time")

// idleLimit is a response that is cancelled if a read takes too long. The time between reads
// does not count: lines may be processed slowly.
type idleLimit struct {
	from   io.Reader
	limit  time.Duration // 0 for none
	cancel context.CancelCauseFunc
}

// begin starts a wait, which the returned function ends.
func (l *idleLimit) begin() (stop func()) {
	if l.limit == 0 {
		return func() {}
	}
	timer := time.AfterFunc(l.limit, func() { l.cancel(errNoResponse) })
	return func() { timer.Stop() }
}

// Read waits for more, but not longer than the limit.
func (l *idleLimit) Read(b []byte) (int, error) {
	defer l.begin()()
	return l.from.Read(b)
}

// causeOf is why a response broke off: err, unless a limit has cancelled it.
func causeOf(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); errors.Is(cause, errNoResponse) {
		return cause
	}
	return err
}
