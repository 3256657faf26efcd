package legible

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestBytes(t *testing.T) {
	for n, want := range map[int64]string{
		0: "0 B", 1023: "1023 B", 1024: "1.0 KiB", 35_300: "34.5 KiB", 1 << 20: "1.0 MiB", 3 << 30: "3.0 GiB", 2048 << 30: "2048.0 GiB",
	} {
		require.Equal(t, want, Bytes(n))
	}
}

func TestCount(t *testing.T) {
	tests := map[string]string{
		Count(0, "error"):   "0 errors",
		Count(1, "warning"): "1 warning",
		Count(2, "entry"):   "2 entries",
	}
	for got, want := range tests {
		require.Equal(t, want, got)
	}
}
