package traffic

import (
	"context"
	"errors"
	"net/http"
	"time"

	"google.golang.org/genproto/googleapis/rpc/code"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/mem"

	"krt.dev/kn-krt/pkg/runner/event"
)

// lateBy is how much later than the canary an entrypoint gives up: the canary knows better what the
// request waited for.
const lateBy = time.Second

// Web is what forwarding needs of a web port.
type Web struct {
	// Admit counts a request among those in flight, and reports false if there are too many. Leave
	// must be called in either case.
	Admit func() bool
	Leave func()
	// ReadAhead reads a body of at most limit bytes, which the next reader reads again. It reports
	// false if that cannot be done; the next reader finds out why.
	ReadAhead func(r *http.Request, limit int64) ([]byte, bool)
	// Sending counts a response until it is freed, and returns what is to be freed in its place:
	// nil if the connection is closed.
	Sending func(context.Context, http.ResponseWriter, mem.Buffer) mem.Buffer
	// Streams reports whether the response to a request is a stream.
	Streams func(*http.Request) bool
	// Fail responds with a failure in the protocol of the request.
	Fail func(http.ResponseWriter, *http.Request, *spb.Status)
}

// Handler has next serve the requests that are the published version's, and forwards those of the
// canary, whose bodies have at most limit bytes.
func (d *Divider) Handler(limit int64, port Web, next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		q := d.Begin(r.Header.Values)
		if q == nil {
			next(w, r)
			return
		}
		defer q.End()
		q.header = r.Header
		if !q.ToCanary() || !q.serve(w, r, limit, port) {
			next(w, r.WithContext(context.WithValue(r.Context(), contextKey{}, q)))
		}
	}
}

type contextKey struct{}

// From returns the request that [Divider.Handler] has decided about; nil if there is none.
func From(ctx context.Context) *Request {
	q, _ := ctx.Value(contextKey{}).(*Request)
	return q
}

// serve forwards a request. It reports false if the published version has to serve it, which finds
// out too what is wrong with a request that is not taken here.
func (q *Request) serve(w http.ResponseWriter, r *http.Request, limit int64, port Web) bool {
	defer port.Leave()
	if !port.Admit() {
		return false
	}
	body, ok := port.ReadAhead(r, limit)
	if !ok {
		return false
	}
	timeout := q.divider.options.Timeout
	if port.Streams(r) {
		if !r.ProtoAtLeast(1, 1) { // there, one that breaks off here may look like one that ends
			return false
		}
		timeout = q.divider.options.StreamTimeout
		prolong(w, timeout)
	}
	ctx, cancel := q.during(r.Context(), timeout, lateBy) // the canary has the client's own deadline in the header
	defer cancel()
	res, served := q.send(ctx, r, body)
	if !served {
		return false
	}
	if res.failure != nil {
		if ctx.Err() != nil {
			res.failure = q.gaveUp(r.Context())
		}
		q.forwarded(code.Code(res.failure.GetCode()))
		port.Fail(w, r, res.failure)
		return true
	}
	if res.stream != nil {
		q.pass(ctx, w, r, res)
		return true
	}
	q.forwarded(res.result)
	out := port.Sending(r.Context(), w, res.body)
	if out == nil {
		return true // the connection is closed
	}
	defer out.Free()
	res.writeHeader(w)
	_, _ = w.Write(out.ReadOnlyData())
	res.writeTrailer(w)
	return true
}

// during returns the context of a request that is forwarded for a client with the given one. It ends
// after the limit, when the client leaves, some spare time after its deadline, and when a stop is forced.
func (q *Request) during(client context.Context, limit, spare time.Duration) (context.Context, context.CancelFunc) {
	o := &q.divider.options
	limit += lateBy
	if deadline, ok := client.Deadline(); ok {
		limit = min(limit, time.Until(deadline)+spare)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(client), limit)
	left := context.AfterFunc(client, func() {
		if !errors.Is(client.Err(), context.DeadlineExceeded) {
			cancel()
		}
	})
	ended := context.AfterFunc(o.Stopped, cancel)
	return ctx, func() {
		left()
		ended()
		cancel()
	}
}

// gaveUp is the failure of a forwarded request that the canary has not responded to.
func (q *Request) gaveUp(client context.Context) *spb.Status {
	o := &q.divider.options
	f := event.Failure{
		Code: code.Code_DEADLINE_EXCEEDED, Reason: event.ReasonDeadline, Version: q.state.Version,
		Text: "the version did not respond in time",
	}
	switch {
	case o.Stopped.Err() != nil:
		f.Code, f.Reason, f.Text = code.Code_UNAVAILABLE, event.ReasonStopping, "the version stopped before it had responded"
	case errors.Is(client.Err(), context.Canceled) && !o.OutOfTime(client, q.begin):
		return &spb.Status{Code: int32(code.Code_CANCELLED), Message: "the client cancelled the request"}
	}
	return f.Status()
}
