package watch

import (
	"testing"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
)

const at = "http://store"

func requireStore(t *testing.T, s *Store, why string, known bool) {
	t.Helper()
	now, is := s.Why(at)
	require.Equal(t, why, now)
	require.Equal(t, known, is)
}

// concerned is whom the result of asking concerns, of a version that reports a problem and one that does not.
func concerned(s *Store, url, why string) string {
	bad, good := &v1alpha1.Version{}, &v1alpha1.Version{}
	bad.MarkStoreUnavailable("refused")
	switch which := s.note(url, why); {
	case which == nil:
		return "none"
	case which(bad) && which(good):
		return "all"
	case which(bad):
		return "those that report a problem"
	}
	return "others"
}

// A controller that starts reports nothing of a store until it knows: versions keep what they have.
func TestAStoreOfWhichNothingIsKnown(t *testing.T) {
	s := NewStore(nil, nil)
	requireStore(t, s, "", false)
	require.Equal(t, "none", concerned(s, at, "refused"))
	requireStore(t, s, "", false)
	require.Equal(t, "all", concerned(s, at, "refused"))
	requireStore(t, s, "refused", true)
	require.Equal(t, "none", concerned(s, at, "refused"))
}

func TestAStoreThatWorks(t *testing.T) {
	s := NewStore(nil, nil)
	require.Equal(t, "those that report a problem", concerned(s, at, ""))
	requireStore(t, s, "", true)
	require.Equal(t, "none", concerned(s, at, ""))
	require.Equal(t, "none", concerned(s, at, "refused"))
	requireStore(t, s, "", true)
	require.Equal(t, "all", concerned(s, at, "refused"))
	requireStore(t, s, "refused", true)
	require.Equal(t, "all", concerned(s, at, ""))
	requireStore(t, s, "", true)
}

// What was known of a former store says nothing; of one that is not asked, nothing is wrong.
func TestAnotherStore(t *testing.T) {
	s := NewStore(nil, nil)
	s.note("http://former", "")
	requireStore(t, s, "", true)
	s.note(at, "refused")
	requireStore(t, s, "", false)
	require.Equal(t, "all", concerned(s, at, "refused"))
	requireStore(t, s, "refused", true)
}
