package schema_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/schema"
)

// FuzzCompile holds that no text makes the compiler panic or run away, and that what
// compiles can be looked up.
func FuzzCompile(f *testing.F) {
	seeds, err := filepath.Glob("testdata/seeds/*.proto")
	require.NoError(f, err)
	require.NotEmpty(f, seeds)
	for _, seed := range seeds {
		text, err := os.ReadFile(seed)
		require.NoError(f, err)
		f.Add(string(text))
	}
	f.Fuzz(func(t *testing.T, text string) {
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		bundle := files("public.proto", text, "other.proto", `syntax = "proto3"; package other; message Other {}`)
		s, err := schema.Compile(ctx, bundle, "public.proto", schema.Options{})
		if err != nil {
			require.NotErrorIs(t, err, context.DeadlineExceeded)
			require.NotEmpty(t, err.Error())
			return
		}
		for _, m := range s.Methods() {
			_, err := s.Registry().FindDescriptorByName(m.FullName())
			require.NoError(t, err)
		}
	})
}
