package source_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/dashboard/source"
)

func TestGPUs(t *testing.T) {
	require.Empty(t, source.GPUs("", 1))
	require.Equal(t, "nvidia.com/mig-1g.10gb", source.GPUs("nvidia.com/mig-1g.10gb", 1))
	require.Equal(t, "2 × amd.com/gpu", source.GPUs("amd.com/gpu", 2))
	require.Equal(t, "4 × GPU", source.GPUs("", 4))
}
