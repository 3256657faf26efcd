package legible

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestDurations(t *testing.T) {
	for d, want := range map[time.Duration][2]string{
		0:                        {"0.0", "0.0ms"},
		30 * time.Microsecond:    {"0.0", "0.0ms"},
		12345 * time.Microsecond: {"12.3", "12.3ms"},
		time.Second:              {"1.00s", "1.00s"},
		95 * time.Second:         {"95.00s", "95.00s"},
	} {
		require.Equal(t, want, [2]string{Milliseconds(d), Duration(d)})
	}
}
