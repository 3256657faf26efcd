package local

import (
	"cmp"
	"context"
	"errors"
	"net/http"

	"krt.dev/kn-krt/pkg/dashboard/source"
	"krt.dev/kn-krt/pkg/inspection"
)

const (
	notStarted = "The version has not started yet."
	notKept    = "The run keeps no requests: it was started with --inspect-port off."
	keepThem   = "Start it without --inspect-port off."
)

// inspector returns a client of the run's inspection port.
func (s *Source) inspector(ref source.Ref) (*inspection.Client, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case !s.state.is(ref):
		return nil, &source.NotFoundError{Ref: ref}
	case s.state.serving == nil:
		return nil, &source.RefusedError{Refusal: source.Unavailable, Text: notStarted}
	case s.state.serving.Inspection == "":
		return nil, &source.RefusedError{Refusal: source.Unavailable, Text: notKept, Next: keepThem}
	}
	return inspection.New("http://"+s.state.serving.Inspection, &http.Client{Transport: &s.transport})
}

// Requests implements [source.RequestKeepers].
func (s *Source) Requests(ctx context.Context, ref source.Ref, f inspection.Filter) ([]inspection.Request, []string, error) {
	from, err := s.inspector(ref)
	if err != nil {
		return nil, nil, err
	}
	list, err := from.List(ctx, f)
	return list, nil, s.ofInspector(err)
}

// Request implements [source.RequestKeepers].
func (s *Source) Request(ctx context.Context, ref source.Ref, id string) (*source.KeptRequest, error) {
	from, err := s.inspector(ref)
	if err != nil {
		return nil, err
	}
	one, err := from.Get(ctx, id)
	var refused *inspection.StatusError
	switch {
	case errors.As(err, &refused) && refused.Code == http.StatusNotFound:
		return nil, source.NewNoRequestError(ref, id)
	case err != nil:
		return nil, s.ofInspector(err)
	}
	return &source.KeptRequest{Request: *one, Unkept: "A local run keeps the messages of the requests that it has read."}, nil
}

// FollowRequests implements [source.RequestKeepers].
func (s *Source) FollowRequests(ctx context.Context, ref source.Ref, f inspection.Filter, to source.RequestHandler) error {
	from, err := s.inspector(ref)
	if err != nil {
		return err
	}
	f.Limit = inspection.MaxRequests
	err = from.Follow(ctx, f, to.Line)
	if ctx.Err() == nil {
		return cmp.Or(s.ofInspector(err), errOver)
	}
	return nil
}

// ofInspector is the error of a request to the inspection port.
func (s *Source) ofInspector(err error) error {
	if err == nil {
		return nil
	}
	select {
	case <-s.over:
		return errOver
	default:
		return err
	}
}
