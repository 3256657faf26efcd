package cluster

import (
	"context"
	"errors"

	"krt.dev/kn-krt/pkg/cluster"
	"krt.dev/kn-krt/pkg/dashboard/measured"
	"krt.dev/kn-krt/pkg/dashboard/source"
	"krt.dev/kn-krt/pkg/data"
)

// store returns a client of what was saved in the namespace, and the function that ends it: through
// a port-forward to the store's pod, with the credential of a version in the namespace, which the
// user must be allowed to read.
func (s *Source) store(ctx context.Context, ref source.Ref) (*data.Client, func(), error) {
	c, err := s.in(ref)
	if err != nil {
		return nil, nil, err
	}
	client, end, err := c.Data(ctx)
	if errors.Is(err, cluster.ErrNoCredential) {
		return nil, nil, &source.RefusedError{
			Refusal: source.Unavailable, Text: "Nothing was saved: " + err.Error() + ".", Next: s.hint(ref.Namespace, err),
		}
	}
	if err != nil {
		return nil, nil, s.explain(ref, err)
	}
	return client, func() {
		client.HTTP.CloseIdleConnections()
		end()
	}, nil
}

// Predictions implements [source.Predictors].
func (s *Source) Predictions(ctx context.Context, ref source.Ref) (source.Predictions, func(), error) {
	client, end, err := s.store(ctx, ref)
	if err != nil {
		return nil, nil, err
	}
	return client, end, nil
}

// Measurements implements [source.Measurers].
func (s *Source) Measurements(ctx context.Context, ref source.Ref) (source.Measurements, func(), error) {
	client, end, err := s.store(ctx, ref)
	if err != nil {
		return nil, nil, err
	}
	return measured.Saved{Client: client}, end, nil
}
