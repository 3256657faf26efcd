package traffic

import (
	"context"
	"net/http"
	"time"

	"google.golang.org/genproto/googleapis/rpc/code"

	"krt.dev/kn-krt/pkg/runner/clip"
)

// Request is a request while a canary is configured. Nil is one that is not divided.
type Request struct {
	divider *Divider
	state   *state
	begin   time.Time
	forward bool
	header  http.Header // nil of a call over gRPC
}

// Begin decides which version serves a request with the given metadata: the values of a name, in
// lower case. It is nil if there is no canary, or another entrypoint has forwarded the request.
// Otherwise End must be called.
func (d *Divider) Begin(values func(name string) []string) *Request {
	if d.current.Load() == nil || len(values(Metadata)) > 0 {
		return nil
	}
	s := d.acquire()
	if s == nil {
		return nil
	}
	return &Request{divider: d, state: s, begin: time.Now(), forward: s.gets(values, d.options.Chance)}
}

// Copy is a copy of the request, whose client has the given context and has sent the given message,
// if it is one of those that are copied, else nil.
func (q *Request) Copy(client context.Context, message []byte) *Copy {
	if q == nil || q.forward || q.state.Mirror == 0 || q.divider.options.Chance()*100 >= float64(q.state.Mirror) {
		return nil
	}
	return q.copy(client, message)
}

// End ends the use of the connections.
func (q *Request) End() {
	if q != nil {
		q.state.peer.release()
	}
}

// ToCanary reports whether the canary is to serve the request.
func (q *Request) ToCanary() bool { return q != nil && q.forward }

// Served counts a request for which the published version's response is ready.
func (q *Request) Served(result code.Code) {
	q.ServedStream(result, time.Time{})
}

// ServedStream is Served for a stream, once it has ended. Its time is that until first, when its first
// message was there: how long a response is says nothing about the version. First is zero if it had none.
func (q *Request) ServedStream(result code.Code, first time.Time) {
	if q != nil {
		q.state.counts.published.add(result, q.until(first))
	}
}

// until is the time from the beginning of the request to an instant, if that is not zero, or to now.
func (q *Request) until(first time.Time) time.Duration {
	if first.IsZero() {
		return time.Since(q.begin)
	}
	return max(first.Sub(q.begin), 0)
}

// forwarded counts a request for which the canary's response is ready, or none will come.
func (q *Request) forwarded(result code.Code) {
	q.forwardedStream(result, time.Time{})
}

// forwardedStream is to forwarded what ServedStream is to Served.
func (q *Request) forwardedStream(result code.Code, first time.Time) {
	q.state.counts.canary.add(result, q.until(first))
}

// fallBack notes that the published version has to serve the request because of what went wrong
// with the canary. What the request has waited for until now is not the published version's time.
func (q *Request) fallBack(why string) {
	q.begin = time.Now()
	q.state.counts.fallbacks.Inc()
	q.divider.options.Logger.Warn("the canary did not serve a request; the published version does",
		"canary", q.state.Version, "error", clip.Text(why, 512))
}
