package cluster

import (
	"context"
	"errors"
	"io"

	"krt.dev/kn-krt/pkg/cluster"
	"krt.dev/kn-krt/pkg/dashboard/meter"
	"krt.dev/kn-krt/pkg/dashboard/source"
)

// Numbers implements [source.Meters].
func (s *Source) Numbers(_ context.Context, ref source.Ref) (*source.Numbers, error) {
	n, err := s.meter.Numbers(ref)
	return n, s.explain(ref, err)
}

// FollowNumbers implements [source.Meters].
func (s *Source) FollowNumbers(ctx context.Context, ref source.Ref, changed func()) error {
	if _, err := s.in(ref); err != nil {
		return err
	}
	return s.meter.Follow(ctx, ref, changed)
}

// reader reads what the entrypoint of a version counts. As long as no pod of it is ready there
// are no numbers, which is not an error.
func (s *Source) reader(ref source.Ref) meter.Reader {
	metrics := s.client.In(ref.Namespace).Metrics(ref.Name, meter.Accept)
	fetch := func(ctx context.Context, each func(string, io.Reader) error) ([]string, error) {
		missing, err := metrics.Read(ctx, each)
		var unavailable *cluster.UnavailableError
		if errors.As(err, &unavailable) {
			return nil, nil
		}
		return missing, err
	}
	return meter.Entrypoints("the entrypoint", fetch, metrics.Close)
}
