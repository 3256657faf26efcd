package trial

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTailIsBounded(t *testing.T) {
	var tail Tail
	require.Equal(t, Messages{First: 1}, tail.Last(20))
	for range maxKept + 5 {
		tail.add("x")
	}
	got := tail.Last(maxKept)
	require.Equal(t, maxKept+5, got.Count)
	require.Equal(t, 6, got.First)
	require.Len(t, got.Texts, maxKept)
	got = tail.Last(20)
	require.Equal(t, maxKept+5-19, got.First)
	require.Len(t, got.Texts, 20)

	tail.add(strings.Repeat("y", 2*maxShown))
	got = tail.Last(20)
	require.Len(t, got.Texts, 1)
	require.Equal(t, maxKept+6, got.First)
	require.Less(t, len(got.Texts[0]), maxShown+10)
}
