package service

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"krt.dev/kn-krt/pkg/retention"
	"krt.dev/kn-krt/pkg/store"
)

// expirePeriod is how often old data is deleted.
const expirePeriod = 10 * time.Minute

// expire deletes what is older than the settings say, again and again, until ctx ends.
func (s *Service) expire(ctx context.Context) {
	tick := time.NewTicker(expirePeriod)
	defer tick.Stop()
	for {
		s.expireOnce(ctx, time.Now())
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// expireOnce deletes what is too old at a time. What fails is logged, and tried again with
// the next round. A setting that is not valid deletes nothing.
func (s *Service) expireOnce(ctx context.Context, now time.Time) {
	for _, setting := range retention.Settings() {
		period, err := s.period(setting.Name)
		if err == nil && period > 0 {
			err = s.forget(ctx, setting.Kind, now.Add(-period))
		}
		if err != nil && ctx.Err() == nil {
			s.log.Error("cannot delete what is too old", "setting", setting.Name, "error", err)
		}
	}
}

// period reads a setting; 0 if it is not set.
func (s *Service) period(name string) (time.Duration, error) {
	if s.config.Settings == "" {
		return 0, nil
	}
	text, err := os.ReadFile(filepath.Join(s.config.Settings, name))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return retention.Parse(strings.TrimSpace(string(text)))
}

// forget deletes the data of a kind from before a time.
func (s *Service) forget(ctx context.Context, kind string, before time.Time) (err error) {
	var done store.Deleted
	switch kind {
	case "documents":
		done.Count, err = s.backends.Documents.ForgetDocuments(ctx, "", before)
	case "predictions":
		done, err = s.backends.Predictions.DeletePredictions(ctx, store.Selection{To: before}, store.Part{})
	default:
		kept, ok := s.backends.Measurements.(store.Measurements)
		if !ok { // a database that is only written to has a retention of its own
			return nil
		}
		done, err = kept.DeleteMeasurements(ctx, store.Selection{To: before}, store.Part{})
	}
	s.metrics.deleted.WithLabelValues(strings.TrimSuffix(kind, "s")).Add(float64(done.Count))
	if done.Count > 0 {
		s.log.Info("deleted what was too old", "kind", kind, "entries", done.Count, "before", before)
	}
	return err
}
