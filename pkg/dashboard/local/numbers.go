package local

import (
	"context"
	"errors"
	"io"
	"net/http"

	"krt.dev/kn-krt/pkg/dashboard/meter"
	"krt.dev/kn-krt/pkg/dashboard/source"
	"krt.dev/kn-krt/pkg/local"
)

// Numbers implements [source.Meters].
func (s *Source) Numbers(_ context.Context, ref source.Ref) (*source.Numbers, error) {
	return s.meter.Numbers(ref)
}

// FollowNumbers implements [source.Meters].
func (s *Source) FollowNumbers(ctx context.Context, ref source.Ref, changed func()) error {
	if _, err := s.Version(ctx, ref); err != nil {
		return err
	}
	return s.meter.Follow(ctx, ref, changed)
}

// Loads implements [source.Meters].
func (s *Source) Loads(refs []source.Ref) source.Loads {
	loads := source.Loads{Of: s.meter.Loads(refs)}
	if len(loads.Of) > 0 {
		loads.Note = "Numbers of the last minute, from the entrypoint."
	}
	return loads
}

// FollowLoads implements [source.Meters].
func (s *Source) FollowLoads(ctx context.Context, changed func()) error {
	return s.meter.FollowAll(ctx, s.refs, changed)
}

// refs has the version of the run, once its bundle is loaded.
func (s *Source) refs() []source.Ref {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state.bundle == nil {
		return nil
	}
	return []source.Ref{s.state.ref()}
}

// reader reads what the run's entrypoint counts, once it serves.
func (s *Source) reader(source.Ref) meter.Reader {
	return meter.Entrypoints("the entrypoint", func(ctx context.Context, each func(string, io.Reader) error) ([]string, error) {
		s.mu.Lock()
		serving, phase := s.state.serving, s.state.phase
		s.mu.Unlock()
		if serving == nil || phase != phaseRunning && phase != phaseReloading {
			return nil, nil
		}
		return nil, getMetrics(ctx, "http://"+local.Reachable(serving.Reply)+"/metrics", func(body io.Reader) error {
			return each("entrypoint", body)
		})
	}, nil)
}

// getMetrics calls each with the metrics of an entrypoint.
func getMetrics(ctx context.Context, url string, each func(io.Reader) error) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return err
	}
	request.Header.Set("Accept", meter.Accept)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return errors.New("the entrypoint responded with status " + response.Status)
	}
	return each(response.Body)
}
