package entrypoint

import (
	"context"
	"errors"
	"fmt"
	"net/url"

	"google.golang.org/genproto/googleapis/rpc/code"

	"krt.dev/kn-krt/pkg/runner/event"
)

// sequence is the delivery by a Knative Sequence: one POST to its address, and
// the answer comes at the reply port. Over an in-memory channel the POST is
// answered only after the reply has been delivered, so its 202 says nothing
// that is not known already; a 5xx or a broken connection is an early failure.
type sequence struct {
	*exchange
	address *url.URL
}

// Deliver implements [Delivery].
func (s *sequence) Deliver(caller context.Context, r *request) answer {
	ctx, cancel := context.WithDeadline(r.entry.base, r.deadline)
	go func() {
		defer r.leave()
		defer cancel()
		if err := s.post(ctx, &r.first); err != nil {
			r.conclude(ctx, nil, err)
		}
	}()
	return r.await(caller, ctx, cancel)
}

// post hands p to the Sequence.
func (s *sequence) post(ctx context.Context, p *Parcel) error {
	defer p.Data.Free()
	answer, err := s.once(ctx, s.address, p)
	if err == nil {
		if answer != nil { // a channel answers with no event; one that does adds nothing
			answer.Data.Free()
		}
		return nil
	}
	f := &event.Failure{Code: code.Code_UNAVAILABLE, Reason: event.ReasonUnavailable}
	var answered *answerError
	if errors.As(err, &answered) {
		f.Text = fmt.Sprintf("the Sequence %s %v", s.address, err)
	} else {
		f.Text = fmt.Sprintf("the Sequence %s cannot be reached: %v", s.address, err)
	}
	return f
}
