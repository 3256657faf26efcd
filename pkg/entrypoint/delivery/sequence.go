package delivery

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	"google.golang.org/genproto/googleapis/rpc/code"

	"krt.dev/kn-krt/pkg/channel"
	"krt.dev/kn-krt/pkg/entrypoint/httpclient"
	"krt.dev/kn-krt/pkg/entrypoint/memory"
	"krt.dev/kn-krt/pkg/runner/clip"
	"krt.dev/kn-krt/pkg/runner/event"
)

// sequence is the delivery by a Knative Sequence: one POST to its address, and
// the response comes at the reply port. A channel that answers on its own has the event with
// its 2xx, and is tried again until it has. Over one that does not, the POST is
// responded to only after the reply has been delivered, so its 202 adds nothing to
// what is known already; a 5xx or a broken connection is an early failure,
// final because the steps may have run.
type sequence struct {
	*exchange
	address *url.URL
	channel channel.Kind
}

// errSilent is why a channel that answers on its own has not accepted an event.
var errSilent = errors.New("it did not respond in time")

// maxPause bounds the pause between two tries to reach a Sequence.
const maxPause = time.Second

// Sequence returns the delivery by the Knative Sequence at the given URL, whose channels are
// of that kind.
func (s *Sender) Sequence(address string, kind channel.Kind) (Delivery, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, err
	}
	return &sequence{exchange: s.exchange, address: u, channel: kind}, nil
}

// Deliver implements [Delivery].
func (s *sequence) Deliver(ctx context.Context, r *Request) (*Parcel, error) {
	last := time.Now().Add(min(s.retry.Patience, time.Until(r.Deadline())*3/4))
	size := int64(r.First.Data.Len())
	if !s.channel.Answers() {
		r.First.Sent = r.Accept
	}
	payload, p := s.hold(&r.First)
	defer payload.Free()
	// Work behind a reply may go on for an hour. It does not need the payload: what
	// brought a reply was accepted, and what was not is not tried again after last.
	r.begin(-1, payload.Settle)
	r.reserve(1)
	defer time.AfterFunc(time.Until(last), payload.Settle).Stop()
	if s.channel.Answers() {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, s.retry.Patience, errSilent)
		defer cancel()
	}
	response, err := s.reach(ctx, r, p, payload, last)
	if response != nil { // a channel responds without an event; one that has one adds nothing
		response.Data.Free()
	}
	switch {
	case err == nil:
		r.Accept()
	case s.channel.Answers() && r.IsAccepted(): // what came of the event has shown that the channel has it
	default:
		return nil, s.failure(err, size)
	}
	return nil, nil
}

// failure is that of a request whose event, with so many bytes of data, the channel has not
// accepted because of err.
func (s *sequence) failure(err error, size int64) *event.Failure {
	f := &event.Failure{Code: code.Code_UNAVAILABLE, Reason: event.ReasonUnavailable}
	var response *responseError
	switch {
	case s.tooLarge(err, size):
		f.Code, f.Reason = code.Code_RESOURCE_EXHAUSTED, event.ReasonTooLarge
		limit := "its channel's limit"
		if s.channel.MaxBytes > 0 {
			limit = fmt.Sprintf("the usual limit of a %s is %d bytes (%s)", s.channel.Name, s.channel.MaxBytes, s.channel.Limit)
		}
		f.Text = fmt.Sprintf("the message of %d bytes is too large for the Sequence %s, which %v; %s", size, s.address, err, limit)
	case errors.As(err, &response):
		f.Text = fmt.Sprintf("the Sequence %s %v", s.address, err)
	default:
		f.Text = fmt.Sprintf("the Sequence %s cannot be reached: %v", s.address, clip.Text(err.Error(), maxFailure))
	}
	return f
}

// reach posts p as soon as there is a dispatcher to accept it: one that is
// restarted is back within seconds. It gives up at last: when patience ends, or a
// quarter of the request's time is left, so that the client learns the cause, and
// not only that it took too long. An event that is probably too large is tried as often as a
// step is.
func (s *sequence) reach(ctx context.Context, r *Request, p *Parcel, payload *memory.Payload, last time.Time) (*Parcel, error) {
	attempt, size := 1, int64(p.Data.Len())
	for delay := s.retry.Delay; ; delay = min(2*delay, maxPause) {
		r.stamp(p.Event)
		send := r.sending(attempt)
		response, err := s.post(ctx, s.address, p, &send)
		left := time.Until(last)
		again := s.notAccepted(err) && left > 0 && ctx.Err() == nil &&
			(attempt <= s.retry.Count || !s.tooLarge(err, size)) && payload.Resend()
		r.sent(&send, err, again)
		if !again || !s.pause(ctx, min(delay, left)) {
			return response, err
		}
		attempt++
	}
}

// notAccepted reports whether err means that the channel is to be sent the event again.
func (s *sequence) notAccepted(err error) bool {
	var response *responseError
	switch {
	case err == nil:
		return false
	case errors.As(err, &response):
		return s.channel.Unclaimed(response.of())
	case httpclient.DialFailed(err):
		return true
	}
	// The connection broke. The channel may have the event, and then delivers it twice; if
	// steps may have run before the response, it is not worth that.
	return s.channel.Answers() && retryable(err)
}

// tooLarge reports whether err means that an event with so many bytes of data is too large.
func (s *sequence) tooLarge(err error, size int64) bool {
	var response *responseError
	return errors.As(err, &response) && s.channel.TooLarge(response.status, size)
}

// of is the response as a kind of channel judges it.
func (r *responseError) of() channel.Response {
	return channel.Response{Status: r.status, Header: r.header, Text: r.text}
}
