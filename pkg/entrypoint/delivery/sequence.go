package delivery

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"google.golang.org/genproto/googleapis/rpc/code"

	"krt.dev/kn-krt/pkg/entrypoint/httpclient"
	"krt.dev/kn-krt/pkg/entrypoint/memory"
	"krt.dev/kn-krt/pkg/runner/clip"
	"krt.dev/kn-krt/pkg/runner/event"
)

// sequence is the delivery by a Knative Sequence: one POST to its address, and
// the response comes at the reply port. Over an in-memory channel the POST is
// responded to only after the reply has been delivered, so its 202 adds nothing to
// what is known already; a 5xx or a broken connection is an early failure,
// final because the steps may have run.
type sequence struct {
	*exchange
	address *url.URL
}

// maxPause bounds the pause between two tries to reach a Sequence.
const maxPause = time.Second

// Sequence returns the delivery by the Knative Sequence at the given URL.
func (s *Sender) Sequence(address string) (Delivery, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, err
	}
	return &sequence{exchange: s.exchange, address: u}, nil
}

// Deliver implements [Delivery].
func (s *sequence) Deliver(ctx context.Context, r *Request) (*Parcel, error) {
	last := time.Now().Add(min(s.retry.Patience, time.Until(r.Deadline())*3/4))
	payload, p := s.hold(&r.First)
	defer payload.Free()
	// Work behind a reply may go on for an hour. It does not need the payload: what
	// brought a reply was accepted, and what was not is not tried again after last.
	r.begin(-1, payload.Settle)
	r.reserve(1)
	defer time.AfterFunc(time.Until(last), payload.Settle).Stop()
	response, err := s.reach(ctx, r, p, payload, last)
	if err == nil {
		if response != nil { // a channel responds without an event; one that has one adds nothing
			response.Data.Free()
		}
		return nil, nil
	}
	f := &event.Failure{Code: code.Code_UNAVAILABLE, Reason: event.ReasonUnavailable}
	if errors.As(err, new(*responseError)) {
		f.Text = fmt.Sprintf("the Sequence %s %v", s.address, err)
	} else {
		f.Text = fmt.Sprintf("the Sequence %s cannot be reached: %v", s.address, clip.Text(err.Error(), maxFailure))
	}
	return nil, f
}

// reach posts p as soon as there is a dispatcher to accept it: one that is
// restarted is back within seconds. It gives up at last: when patience ends, or a
// quarter of the request's time is left, so that the client learns the cause, and
// not only that it took too long.
func (s *sequence) reach(ctx context.Context, r *Request, p *Parcel, payload *memory.Payload, last time.Time) (*Parcel, error) {
	attempt := 1
	for delay := s.retry.Delay; ; delay = min(2*delay, maxPause) {
		r.stamp(p.Event)
		send := r.sending(attempt)
		response, err := s.post(ctx, s.address, p, &send)
		left := time.Until(last)
		again := notAccepted(err) && left > 0 && ctx.Err() == nil && payload.Resend()
		r.sent(&send, err, again)
		if !again || !s.pause(ctx, min(delay, left)) {
			return response, err
		}
		attempt++
	}
}

// notAccepted reports whether err means that no channel has accepted the event, so
// that no step has run.
func notAccepted(err error) bool {
	return httpclient.DialFailed(err) || unknownChannel(err) || turnedAway(err)
}

// turnedAway reports whether err is a response by which a channel has not accepted the
// event, and which Knative's data plane contract wants tried again: 404, 408, 409
// or 429, of a dispatcher or a broker that does not know the channel yet or is too
// busy. A step's own response never comes through as one of these.
func turnedAway(err error) bool {
	var response *responseError
	return errors.As(err, &response) && response.status < 500 && retryable(err)
}

// unknownChannel reports whether err is what Knative's in-memory dispatcher
// responds with to an event of a channel that it does not know: it accepts
// connections up to a second before it knows its channels. The response of a
// channel itself has the header Allow.
func unknownChannel(err error) bool {
	var response *responseError
	return errors.As(err, &response) && response.status == http.StatusInternalServerError &&
		response.text == "" && response.header.Get("Allow") == ""
}
