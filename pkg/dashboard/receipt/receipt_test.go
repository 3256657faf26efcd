package receipt

import (
	"testing"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/dashboard/source"
)

func TestReceiptsAreBounded(t *testing.T) {
	var all Receipts
	ref := source.Ref{Namespace: "team", Name: "a-1"}
	first, last := all.Add(ref, "Stop"), ""
	for range Max {
		last = all.Add(ref, "Start")
	}
	require.Empty(t, all.Take(ref, first))
	require.Equal(t, "Start", all.Take(ref, last))
	require.Len(t, all.all, Max-1)
}
