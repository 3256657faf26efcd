package archive_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/krt/archive"
)

func TestPatternsAreBounded(t *testing.T) {
	files := goodBundle()
	var patterns strings.Builder
	for i := range 100 {
		fmt.Fprintf(&patterns, "*a*a*a*a*b%d*\n", i)
	}
	files[archive.IgnoreFile] = patterns.String()
	for i := range 50 {
		files[fmt.Sprintf("d/%s%d", strings.Repeat("a", 200), i)] = ""
	}
	list := func(ctx context.Context, files map[string]string) error {
		root, err := os.OpenRoot(write(t, files))
		require.NoError(t, err)
		defer root.Close()
		_, err = archive.List(ctx, root, archive.PackOptions{Limits: archive.Limits{MaxWork: 1 << 20}})
		return err
	}
	require.ErrorContains(t, list(t.Context(), files), "matching the ignore patterns against so many files takes too long")

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, list(ctx, files), context.Canceled)

	// A pattern whose end no name has costs next to nothing.
	files[archive.IgnoreFile] = strings.ReplaceAll(patterns.String(), "*\n", "\n")
	require.NoError(t, list(t.Context(), files))
}
