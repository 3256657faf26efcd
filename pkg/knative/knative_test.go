package knative

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestUnsupported(t *testing.T) {
	for version, want := range map[string]bool{
		"1.21.5": true, "1.22.0": false, "v1.23.1": false, "1.24.0": true, "2.0.0": true, "1.230.0": true,
		"devel": false, "": false, "20260727-abc": false,
	} {
		require.Equal(t, want, Unsupported(version), version)
	}
}
