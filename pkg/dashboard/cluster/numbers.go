package cluster

import (
	"context"
	"errors"
	"io"
	"strings"

	"krt.dev/kn-krt/pkg/cluster"
	"krt.dev/kn-krt/pkg/dashboard/measured"
	"krt.dev/kn-krt/pkg/dashboard/meter"
	"krt.dev/kn-krt/pkg/dashboard/promql"
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

// Chart implements [source.Meters]: from Prometheus if there is one, else from the store or, as
// long as it has nothing or may not be read, from what was read since somebody looks.
func (s *Source) Chart(ctx context.Context, ref source.Ref, span source.Span) (*source.Chart, error) {
	if s.options.Prometheus != nil {
		return s.options.Prometheus.Chart(ctx, ref, span)
	}
	c, err := s.measured(ctx, ref, span)
	var unknown *source.NotFoundError
	switch {
	case errors.As(err, &unknown) || ctx.Err() != nil:
		return nil, err
	case err == nil && len(c.Lines) > 0:
		return c, nil
	}
	c = s.meter.Chart(ref, span)
	if err != nil {
		c.Notes = append(c.Notes, unreadStore(err))
	}
	return c, nil
}

// unreadStore says why the store cannot be read, and what to do about it.
func unreadStore(err error) string {
	text := "The store cannot be read: " + err.Error()
	var refused *source.RefusedError
	if errors.As(err, &refused) && refused.Next != "" {
		text = strings.TrimSuffix(text, ".") + ". " + refused.Next
	}
	return text
}

// measured is what the store has of a time.
func (s *Source) measured(ctx context.Context, ref source.Ref, span source.Span) (*source.Chart, error) {
	client, end, err := s.store(ctx, ref)
	if err != nil {
		return nil, err
	}
	defer end()
	return measured.Chart(ctx, client, ref.Name, span)
}

// prometheusReader reads the numbers of a version from Prometheus.
type prometheusReader struct {
	client *promql.Client
	ref    source.Ref
}

// Read implements [meter.Reader].
func (r prometheusReader) Read(ctx context.Context) (*source.Numbers, error) {
	return r.client.Numbers(ctx, r.ref)
}

// Close implements [meter.Reader].
func (prometheusReader) Close() {}

// reader reads what the entrypoint of a version counts: from Prometheus, or from its pods. As long
// as none of them is ready there are no numbers, which is not an error.
func (s *Source) reader(ref source.Ref) meter.Reader {
	if s.options.Prometheus != nil {
		return prometheusReader{s.options.Prometheus, ref}
	}
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
