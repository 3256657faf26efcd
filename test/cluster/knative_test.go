package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/knative"
)

// The modules are of the releases that kn-krt says it is made for. Serving and eventing 0.50 are Knative 1.23.
func TestEverySupportedKnativeCanBeRun(t *testing.T) {
	t.Parallel()
	supported := knative.Supported()
	for _, release := range supported {
		var minor int
		_, err := fmt.Sscanf(release, "1.%d", &minor)
		require.NoError(t, err)
		chosen := release
		if release == slices.Max(supported) {
			chosen = ""
		}
		module, err := knativeModule(".", chosen)
		require.NoError(t, err)
		modules, err := os.ReadFile(filepath.Join(module, "go.mod"))
		require.NoError(t, err)
		for _, part := range []string{"serving", "eventing"} {
			require.Contains(t, string(modules), fmt.Sprintf("knative.dev/%s v0.%d.", part, minor+27))
		}
	}
	_, err := knativeModule(".", "1.21")
	require.EqualError(t, err, `no Knative "1.21" to build: set KRT_KNATIVE to one of 1.22, or do not set it`)
}
