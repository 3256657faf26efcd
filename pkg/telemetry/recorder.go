package telemetry

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"

	"krt.dev/kn-krt/pkg/entrypoint/record"
	"krt.dev/kn-krt/pkg/runner/clip"
)

const (
	// maxWaiting and maxWaitingBytes limit the records that wait to be sent.
	maxWaiting      = 2048
	maxWaitingBytes = 8 << 20
	// batchSpans is how many spans are sent at once, or a few more; interval is how long
	// they wait to be so many.
	batchSpans = 512
	interval   = time.Second
	// sendLimit is how long a batch may take, with all its tries.
	sendLimit = 30 * time.Second
	// firstPause is before the second try of a batch for which there was no connection; the
	// next ones are longer, up to longestPause.
	firstPause   = 250 * time.Millisecond
	longestPause = 5 * time.Second
	// logPause is how long nothing more is logged after spans have been lost.
	logPause = time.Minute
)

// Options are those of a [Recorder]. Client and Logger are required.
type Options struct {
	Process Process
	Sampler Sampler
	// Endpoint is the collector's address, for people.
	Endpoint string
	// Client is the way to the collector.
	Client otlptrace.Client
	// Logger gets what goes wrong, once a minute at most.
	Logger *slog.Logger
}

// Recorder records the traces of an entrypoint's requests: it is its Tracer, one of its
// Observers, and a collector of metrics. No request waits for it: records wait in a bounded
// queue until they are made spans and sent, and what finds no room is dropped and counted.
type Recorder struct {
	Sampler
	*Counters
	o       Options
	waiting chan *record.Record
	bytes   atomic.Int64 // of those that wait

	over, ended chan struct{}
	sending     context.Context // ends when a stop takes too long
	end         context.CancelFunc
	logged      time.Time // when it was last logged that spans were lost
	lost        int       // since then
	warned      time.Time // when it was last logged that a collector accepted spans with a warning
}

// New returns a recorder, which must be closed.
func New(o Options) (*Recorder, error) {
	r := newRecorder(o)
	if err := o.Client.Start(r.sending); err != nil {
		return nil, err
	}
	ticks := time.NewTicker(interval)
	go func() {
		defer ticks.Stop()
		r.run(ticks.C)
	}()
	return r, nil
}

func newRecorder(o Options) *Recorder {
	r := &Recorder{
		Sampler: o.Sampler, Counters: NewCounters(), o: o, waiting: make(chan *record.Record, maxWaiting),
		over: make(chan struct{}), ended: make(chan struct{}),
	}
	r.sending, r.end = context.WithCancel(context.Background())
	return r
}

// Observe implements record.Observer.
func (r *Recorder) Observe(seen *record.Record) {
	if seen.SpanID == ([8]byte{}) {
		return
	}
	if !r.add(seen) {
		r.drop(droppedFull, count(seen))
	}
}

// add adds a copy of seen to what waits, if there is room.
func (r *Recorder) add(seen *record.Record) bool {
	if len(r.waiting) == cap(r.waiting) { // or the copy would be for nothing
		return false
	}
	size := sizeOf(seen)
	if r.bytes.Add(size) <= maxWaitingBytes {
		select {
		case r.waiting <- seen.Clone():
			return true
		default:
		}
	}
	r.bytes.Add(-size)
	return false
}

// sizeOf is about how many bytes a record holds.
func sizeOf(r *record.Record) int64 {
	const fixed, step, send = 512, 96, 192
	n := fixed + step*(len(r.Steps)+len(r.Unended)) + len(r.Causation) + len(r.Error) + len(r.Trace.State)
	for i := range r.Sends {
		n += send + len(r.Sends[i].Error)
	}
	return int64(n)
}

// Endpoint is the address that spans are sent to, for people: it has no credentials.
func (r *Recorder) Endpoint() string { return r.o.Endpoint }

// Close sends what waits, for at most the given time, and ends. What is observed later is
// not sent.
func (r *Recorder) Close(limit time.Duration) {
	close(r.over)
	timer := time.AfterFunc(limit, r.end)
	defer timer.Stop()
	<-r.ended
	_ = r.o.Client.Stop(r.sending)
	r.end()
}

// run sends what is observed, until Close; ticks are when what there is is sent.
func (r *Recorder) run(ticks <-chan time.Time) {
	defer close(r.ended)
	var batch []*record.Record
	spans := 0
	take := func(seen *record.Record) {
		r.bytes.Add(-sizeOf(seen))
		batch, spans = append(batch, seen), spans+count(seen)
		if spans >= batchSpans {
			r.send(batch)
			batch, spans = nil, 0
		}
	}
	flush := func() {
		r.send(batch)
		batch, spans = nil, 0
	}
	for {
		select {
		case seen := <-r.waiting:
			take(seen)
		case <-ticks:
			flush()
		case <-r.over:
			for len(r.waiting) > 0 {
				take(<-r.waiting)
			}
			flush()
			return
		}
	}
}

// send sends the spans of records.
func (r *Recorder) send(records []*record.Record) {
	if len(records) == 0 {
		return
	}
	spans := Spans(r.o.Process, records...)
	n := total(spans)
	ctx, cancel := context.WithTimeout(r.sending, sendLimit)
	defer cancel()
	lost := 0
	if err := r.upload(ctx, spans); err != nil {
		if lost = rejected(err, n); lost > 0 {
			r.drop(droppedFailed, lost)
			r.lose(lost, err)
		} else {
			r.warn(err)
		}
	}
	r.exported.Add(float64(n - lost))
}

// upload sends spans, again and again until ctx is done while nothing accepts connections at
// the collector's address, such as during its restart. Other failures that may pass, the client
// has tried again already. At a stop there is one try.
func (r *Recorder) upload(ctx context.Context, spans []*tracepb.ResourceSpans) error {
	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		err := r.o.Client.UploadTraces(ctx, spans)
		var dial *net.OpError
		if !errors.As(err, &dial) || dial.Op != "dial" {
			return err
		}
		select {
		case <-time.After(pause):
		case <-r.over:
			return err
		case <-ctx.Done():
			return err
		}
	}
}

func total(all []*tracepb.ResourceSpans) (n int) {
	for _, resource := range all {
		for _, scope := range resource.ScopeSpans {
			n += len(scope.Spans)
		}
	}
	return n
}

// maxError limits how much is logged of an error: it may be what a collector has sent.
const maxError = 512

// lose logs that spans are lost, once a minute at most.
func (r *Recorder) lose(n int, err error) {
	r.lost += n
	if !due(&r.logged) {
		return
	}
	if r.sending.Err() != nil {
		err = errors.New("the process ends")
	}
	r.o.Logger.Warn("spans were not exported", "count", r.lost, "error", clip.Text(err.Error(), maxError))
	r.lost = 0
}

// warn logs what the collector has sent with spans that it accepted, once a minute at most.
func (r *Recorder) warn(err error) {
	if due(&r.warned) {
		r.o.Logger.Warn("spans were exported with a warning of the collector", "warning", clip.Text(err.Error(), maxError))
	}
}

// due reports whether a message that was logged last at the given time may be logged now, and
// notes that it is.
func due(last *time.Time) bool {
	now := time.Now()
	if !last.IsZero() && now.Sub(*last) < logPause {
		return false
	}
	*last = now
	return true
}
