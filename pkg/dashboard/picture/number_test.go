package picture_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/dashboard/picture"
)

func TestRate(t *testing.T) {
	for perSecond, want := range map[float64]string{
		0: "", -1: "", 1e-9: "<0.1/min", 0.005: "0.3/min", 0.05: "3/min", 0.1: "0.1/s", 0.42: "0.42/s", 0.999: "1/s", 1: "1/s", 1.54: "1.5/s",
		9.96: "10/s", 12.4: "12/s", 123: "123/s", 999: "999/s", 999.6: "1k/s", 1234: "1.2k/s", 12345: "12k/s", 1.2e6: "1.2M/s", 3e12: "3000G/s",
		math.Inf(1): "",
	} {
		require.Equal(t, want, picture.Rate(perSecond), perSecond)
	}
	require.Empty(t, picture.Rate(math.NaN()))
}

func TestDuration(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "", -time.Second: "", 340 * time.Microsecond: "340 µs", 6100 * time.Microsecond: "6.1 ms", 250 * time.Millisecond: "250 ms",
		1200 * time.Millisecond: "1.2 s", 90 * time.Second: "90 s", 3 * time.Minute: "3 min",
	} {
		require.Equal(t, strings.ReplaceAll(want, " ", "\u00a0"), picture.Duration(d), d)
	}
}
