package entrypoint

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"sync/atomic"

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
func (s *sequence) Deliver(ctx context.Context, first *Parcel, _ *atomic.Int32) (*Parcel, error) {
	defer first.Data.Free()
	answer, err := s.once(ctx, s.address, first)
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
