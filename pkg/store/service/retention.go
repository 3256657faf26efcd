package service

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"krt.dev/kn-krt/pkg/letter"
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
	periods := s.periods()
	if !s.settingsAreGone() { // after they were read: what is deleted first may take minutes, and a default may be among them
		s.forgetOld(ctx, now, periods)
	}
	s.expireLetters(ctx, now)
}

// settingsAreGone reports whether there are no settings, and were some before. Then config-krt has been deleted,
// perhaps to be created again: a default is not what it said, and what it deletes does not come back.
func (s *Service) settingsAreGone() bool {
	if s.config.Settings == "" {
		return false
	}
	entries, err := os.ReadDir(s.config.Settings)
	there := slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return !strings.HasPrefix(e.Name(), "..") }) // the kubelet's own
	switch {
	case err == nil && there:
		s.hadSettings.Store(true)
		s.lostSettings.Store(false)
		return false
	case !s.hadSettings.Load():
		return false
	}
	if !s.lostSettings.Swap(true) {
		s.log.Warn("nothing is deleted by its age until there are settings again: all of config-krt is gone", "folder", s.config.Settings)
	}
	return true
}

// periods reads the settings, by their names. One that is not valid is logged, and not among them.
func (s *Service) periods() map[string]time.Duration {
	periods := map[string]time.Duration{}
	for _, setting := range retention.Settings() {
		period, err := s.period(setting)
		if err != nil {
			s.logForget(setting, err)
			continue
		}
		periods[setting.Name] = period
	}
	return periods
}

func (s *Service) logForget(setting retention.Setting, err error) {
	s.log.Error("cannot delete what is too old", "setting", setting.Name, "error", err)
}

// forgetOld deletes what is older than the periods of these settings.
func (s *Service) forgetOld(ctx context.Context, now time.Time, periods map[string]time.Duration) {
	for _, setting := range retention.Settings() {
		period := periods[setting.Name]
		if period <= 0 {
			continue
		}
		if err := s.forget(ctx, setting.Kind, now.Add(-period)); err != nil && ctx.Err() == nil {
			s.logForget(setting, err)
		}
	}
}

// expireLetters deletes the letters that readers do not see any more.
func (s *Service) expireLetters(ctx context.Context, now time.Time) {
	if s.backends.Letters == nil {
		return
	}
	done, err := s.backends.Letters.DeleteLetters(ctx, store.LetterSelection{Expired: now}, store.Part{})
	s.metrics.deleted.WithLabelValues(kindLetter).Add(float64(done.Count))
	if err != nil && ctx.Err() == nil {
		s.log.Error("cannot delete the letters that have expired", "error", err)
	}
}

// period reads a setting, or its default if it is not set.
func (s *Service) period(setting retention.Setting) (time.Duration, error) {
	if s.config.Settings == "" {
		return retention.Parse(setting.Default)
	}
	text, err := os.ReadFile(filepath.Join(s.config.Settings, setting.Name))
	if errors.Is(err, fs.ErrNotExist) {
		return retention.Parse(setting.Default)
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
	case "dead letters":
		if s.backends.Letters == nil {
			return nil
		}
		done, err = s.backends.Letters.DeleteLetters(ctx, store.LetterSelection{Kind: letter.Dead, Before: before}, store.Part{})
	default:
		kept, ok := s.backends.Measurements.(store.Measurements)
		if !ok { // a database that is only written to has a retention of its own
			return nil
		}
		done, err = kept.DeleteMeasurements(ctx, store.Selection{To: before}, store.Part{})
	}
	s.metrics.deleted.WithLabelValues(labelOf(kind)).Add(float64(done.Count))
	if done.Count > 0 {
		s.log.Info("deleted what was too old", "kind", kind, "entries", done.Count, "before", before)
	}
	return err
}

// labelOf is a kind of a setting as a label of metrics.
func labelOf(kind string) string {
	if kind == "dead letters" {
		return kindLetter
	}
	return strings.TrimSuffix(kind, "s")
}
