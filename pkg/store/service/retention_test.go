package service

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/letter"
	"krt.dev/kn-krt/pkg/store"
)

// While config-krt is deleted its periods are not known, and the default of dead letters deletes what it kept forever.
func TestNothingIsDeletedWhileTheSettingsAreGone(t *testing.T) {
	r := start(t)
	require.NoError(t, r.end()) // its own rounds
	var log bytes.Buffer
	s, err := New(t.Context(), r.service.config, slog.New(slog.NewTextHandler(&log, nil)))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.backends.close(t.Context())) })
	now := time.Now()
	require.NoError(t, s.backends.Letters.SaveLetter(t.Context(), "a", letter.Letter{
		Kind: letter.Dead, ID: "1/0", Version: "v", Workflow: "flow", Time: now.Add(-40 * 24 * time.Hour),
	}))
	left := func() int64 {
		counts, err := s.backends.Letters.CountLetters(t.Context(), store.LetterSelection{})
		require.NoError(t, err)
		if len(counts) == 0 {
			return 0
		}
		return counts[0].Letters
	}
	name := filepath.Join(s.config.Settings, "retention-dead-letters")
	require.NoError(t, os.Mkdir(filepath.Join(s.config.Settings, "..data"), 0o700))
	for range 2 {
		require.NoError(t, os.WriteFile(name, []byte("forever"), 0o600))
		s.expireOnce(t.Context(), now)
		require.EqualValues(t, 1, left())
		require.NoError(t, os.Remove(name))
		s.expireOnce(t.Context(), now)
		s.expireOnce(t.Context(), now)
		require.EqualValues(t, 1, left())
	}
	require.Equal(t, 2, strings.Count(log.String(), "all of config-krt is gone"), "once each time")
	require.NoError(t, os.WriteFile(name+"-other", nil, 0o600)) // there are settings, and this one has its default
	s.expireOnce(t.Context(), now)
	require.Zero(t, left())
}

// slowDocuments runs something else while documents are deleted.
type slowDocuments struct {
	store.Documents
	meanwhile func()
}

func (d slowDocuments) ForgetDocuments(ctx context.Context, version string, before time.Time) (int64, error) {
	d.meanwhile()
	return d.Documents.ForgetDocuments(ctx, version, before)
}

// What is deleted first may take minutes, in which config-krt may go.
func TestARoundDeletesByTheSettingsOfItsBegin(t *testing.T) {
	r := start(t)
	require.NoError(t, r.end()) // its own rounds
	s, err := New(t.Context(), r.service.config, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.backends.close(t.Context())) })
	documents, letters := filepath.Join(s.config.Settings, "retention-documents"), filepath.Join(s.config.Settings, "retention-dead-letters")
	require.NoError(t, os.WriteFile(documents, []byte("1h"), 0o600))
	require.NoError(t, os.WriteFile(letters, []byte("forever"), 0o600))
	now := time.Now()
	require.NoError(t, s.backends.Letters.SaveLetter(t.Context(), "a", letter.Letter{
		Kind: letter.Dead, ID: "1/0", Version: "v", Workflow: "flow", Time: now.Add(-40 * 24 * time.Hour),
	}))
	s.backends.Documents = slowDocuments{s.backends.Documents, func() {
		require.NoError(t, os.Remove(documents))
		require.NoError(t, os.Remove(letters))
	}}
	s.expireOnce(t.Context(), now)
	require.NoFileExists(t, letters)
	counts, err := s.backends.Letters.CountLetters(t.Context(), store.LetterSelection{})
	require.NoError(t, err)
	require.Len(t, counts, 1)
}
