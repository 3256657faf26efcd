package cluster

import (
	"context"
	"errors"

	"krt.dev/kn-krt/pkg/cluster"
	"krt.dev/kn-krt/pkg/dashboard/source"
	"krt.dev/kn-krt/pkg/inspection"
)

// requests returns the requests of a version; note receives a sentence about each pod that cannot
// be asked.
func (s *Source) requests(ref source.Ref, note func(string)) (*cluster.Requests, error) {
	c, err := s.in(ref)
	if err != nil {
		return nil, err
	}
	return c.Requests(ref.Name, func(e *cluster.ReplicaError) {
		text := e.Error()
		if e.Retrying {
			text += "; trying again"
		}
		note(text)
	}), nil
}

// Requests implements [source.RequestKeepers].
func (s *Source) Requests(ctx context.Context, ref source.Ref, f inspection.Filter) ([]inspection.Request, []string, error) {
	var notes []string
	from, err := s.requests(ref, func(text string) { notes = append(notes, text) })
	if err != nil {
		return nil, nil, err
	}
	list, err := from.List(ctx, f)
	return list, notes, s.ofRequests(ref, err)
}

// Request implements [source.RequestKeepers].
func (s *Source) Request(ctx context.Context, ref source.Ref, id string) (*source.KeptRequest, error) {
	from, err := s.requests(ref, func(string) {})
	if err != nil {
		return nil, err
	}
	one, err := from.Get(ctx, id)
	var unkept *cluster.RequestNotFoundError
	switch {
	case errors.As(err, &unkept):
		return nil, &source.NoRequestError{ID: id, Text: err.Error()}
	case err != nil:
		return nil, s.ofRequests(ref, err)
	}
	kept := &source.KeptRequest{Request: *one}
	if one.Inspected || s.options.Unkept == nil {
		return kept, nil
	}
	if _, v, err := s.get(ctx, ref); err == nil {
		kept.Unkept = s.options.Unkept(v)
	}
	return kept, nil
}

// FollowRequests implements [source.RequestKeepers].
func (s *Source) FollowRequests(ctx context.Context, ref source.Ref, f inspection.Filter, to source.RequestHandler) error {
	from, err := s.requests(ref, to.Note)
	if err != nil {
		return err
	}
	f.Limit = inspection.MaxRequests
	rights := []cluster.Right{{Verb: "create", Resource: "pods", Subresource: "portforward"}}
	err = reviewer{s.client.In(ref.Namespace), s.options.Review}.whileAllowed(ctx, rights, func(ctx context.Context) error {
		return from.Follow(ctx, f, to.Line)
	})
	if ctx.Err() == nil {
		return s.ofRequests(ref, err)
	}
	return nil
}

// ofRequests is the error of a version whose requests cannot be read.
func (s *Source) ofRequests(ref source.Ref, err error) error {
	var (
		unavailable *cluster.UnavailableError
		replica     *cluster.ReplicaError
	)
	if errors.As(err, &unavailable) || errors.As(err, &replica) && replica.Older {
		return &source.RefusedError{Refusal: source.Unavailable, Text: err.Error(), Next: s.hint(ref.Namespace, err)}
	}
	return s.explain(ref, err)
}
