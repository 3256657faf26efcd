package bound

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestShare(t *testing.T) {
	s := Share{Most: 5, Own: 3}
	first, err := s.Take("me", 2)
	require.NoError(t, err)
	_, err = s.Take("me", 2)
	require.ErrorIs(t, err, ErrOwn)
	second, err := s.Take("", 3)
	require.NoError(t, err)
	_, err = s.Take("you", 1)
	require.ErrorIs(t, err, ErrMost)
	first()
	_, err = s.Take("", 3)
	require.ErrorIs(t, err, ErrMost)
	third, err := s.Take("", 2)
	require.NoError(t, err, "who has no name is bounded like all")
	second()
	third()
	require.Zero(t, s.taken)
	require.Empty(t, s.of)
}
