package local

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/dashboard/source"
	"krt.dev/kn-krt/pkg/krt"
	"krt.dev/kn-krt/pkg/local"
)

// ofBundle is a source whose run has begun with a version of one node, but nothing runs.
func ofBundle() *Source {
	s := New(discard{})
	m := &krt.Manifest{
		Version: "test-v1", Nodes: []krt.Node{{Name: "etl"}},
		Config: krt.Config{Variables: []string{"CURRENCY"}, Files: []string{"CERT"}},
	}
	s.Event(local.Event{Type: local.EventStarting, Nodes: []string{"etl"}, Bundle: &krt.Bundle{Manifest: m}})
	return s
}

func TestARunRefusesActionsWithTheReason(t *testing.T) {
	s := ofBundle()
	rights, err := s.Rights(t.Context(), ref)
	require.NoError(t, err)
	for _, action := range []source.Action{
		source.Start, source.Stop, source.Publish, source.Unpublish, source.Rollback, source.Restart, source.Delete, source.Configure,
	} {
		require.NotEmpty(t, rights[action], action)
		var refused *source.RefusedError
		require.ErrorAs(t, s.Act(t.Context(), source.Order{Ref: ref, Action: action}), &refused)
		require.Equal(t, &source.RefusedError{Refusal: source.Unavailable, Text: rights[action]}, refused)
	}
	require.ErrorContains(t, s.SetConfig(t.Context(), ref, nil, nil), rights[source.Configure])

	entries, err := s.Config(t.Context(), ref)
	require.NoError(t, err)
	require.Equal(t, []source.ConfigEntry{{Name: "CURRENCY", Set: true}, {Name: "CERT", File: true, Set: true}}, entries)
}

func TestHistoryHasTheLastEvents(t *testing.T) {
	s := ofBundle()
	for range keptEvents {
		s.Event(local.Event{Type: local.EventNodeExited, Node: "etl", Error: errors.New("exit status 5")})
	}
	s.Event(local.Event{Type: local.EventReloaded, Nodes: []string{"etl"}})
	h, err := s.History(t.Context(), ref)
	require.NoError(t, err)
	require.True(t, h.Local)
	require.Len(t, h.Events, keptEvents)
	require.Equal(t, "Reloaded", h.Events[0].What)
	require.Equal(t, "restarted: etl", h.Events[0].Comment)
	require.Equal(t, "Node ended", h.Events[1].What)
	require.Equal(t, "etl: exit status 5", h.Events[1].Comment)
}
