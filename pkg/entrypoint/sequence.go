package entrypoint

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"google.golang.org/genproto/googleapis/rpc/code"

	"krt.dev/kn-krt/pkg/runner/event"
)

// sequence is the delivery by a Knative Sequence: one POST to its address, and
// the answer comes at the reply port. Over an in-memory channel the POST is
// answered only after the reply has been delivered, so its 202 says nothing
// that is not known already; a 5xx or a broken connection is an early failure,
// final because the steps may have run.
type sequence struct {
	*exchange
	address *url.URL
}

// maxPause bounds the pause between two tries to reach a Sequence.
const maxPause = time.Second

// Deliver implements [Delivery].
func (s *sequence) Deliver(ctx context.Context, first *Parcel, progress *Progress) (*Parcel, error) {
	last := time.Now().Add(min(s.retry.Patience, time.Until(progress.until())*3/4))
	payload, p := s.hold(first)
	defer payload.free()
	// Work behind a reply may go on for an hour. It does not need the payload: what
	// brought a reply was taken, and what was not is not tried again after last.
	progress.onReply(payload.settle)
	defer time.AfterFunc(time.Until(last), payload.settle).Stop()
	answer, err := s.reach(ctx, p, payload, last, progress)
	if err == nil {
		if answer != nil { // a channel answers with no event; one that does adds nothing
			answer.Data.Free()
		}
		return nil, nil
	}
	f := &event.Failure{Code: code.Code_UNAVAILABLE, Reason: event.ReasonUnavailable}
	var answered *answerError
	if errors.As(err, &answered) {
		f.Text = fmt.Sprintf("the Sequence %s %v", s.address, err)
	} else {
		f.Text = fmt.Sprintf("the Sequence %s cannot be reached: %v", s.address, err)
	}
	return nil, f
}

// reach posts p as soon as there is somebody to take it: a dispatcher that is
// started anew is back within seconds. It gives up at last: when patience ends, or a
// quarter of the request's time is left, for the caller is told why, not just late.
func (s *sequence) reach(ctx context.Context, p *Parcel, payload *payload, last time.Time, progress *Progress) (*Parcel, error) {
	for delay := s.retry.Delay; ; delay = min(2*delay, maxPause) {
		progress.stamp(p.Event)
		answer, err := s.once(ctx, s.address, p)
		left := time.Until(last)
		if !undialed(err) && !unclaimed(err) && !turnedAway(err) || left <= 0 || !payload.again() || !s.pause(ctx, min(delay, left)) {
			return answer, err
		}
	}
}

// turnedAway says whether err is an answer by which a channel has not accepted the
// event, and which Knative's data plane contract wants tried again: 404, 408, 409
// or 429, of a dispatcher or a broker that does not know the channel yet or is too
// busy. A step's own answer never comes through as one of these.
func turnedAway(err error) bool {
	var answered *answerError
	return errors.As(err, &answered) && answered.status < 500 && retryable(err)
}

// unclaimed says whether err is what Knative's in-memory dispatcher answers to an
// event of a channel that it does not know: it takes connections up to a second
// before it knows its channels. What a channel itself answers bears Allow.
func unclaimed(err error) bool {
	var answered *answerError
	return errors.As(err, &answered) && answered.status == http.StatusInternalServerError &&
		answered.text == "" && answered.header.Get("Allow") == ""
}
