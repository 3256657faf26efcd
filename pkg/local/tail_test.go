package local

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTailKeepsTheLastLines(t *testing.T) {
	var last tail
	for i := range tailLines + 3 {
		last.add(strings.Repeat("i", i))
	}
	all := last.all()
	require.Len(t, all, tailLines)
	require.Equal(t, "iii", all[0])
	require.Equal(t, strings.Repeat("i", tailLines+2), all[tailLines-1])
}
