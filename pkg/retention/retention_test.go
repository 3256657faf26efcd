package retention_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/retention"
)

func TestParse(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"forever": 0, "30d": 30 * retention.Day, "1h": time.Hour, "8w": 56 * retention.Day, "36500d": 36500 * retention.Day,
	} {
		got, err := retention.Parse(text)
		require.NoError(t, err, text)
		require.Equal(t, want, got, text)
	}
	for _, text := range []string{"", "0d", "-1d", "1", "30 d", "1.5d", "30m", "36501d", "9999999w", "99999999d", "1y", "Forever"} {
		_, err := retention.Parse(text)
		require.ErrorContains(t, err, "is not a period such as", text)
	}
}

func TestDefault(t *testing.T) {
	require.Equal(t, retention.Policy{DeadLetters: 30 * retention.Day}, retention.Default())
	for _, setting := range retention.Settings() {
		_, err := retention.Parse(setting.Default)
		require.NoError(t, err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add("30d")
	f.Fuzz(func(t *testing.T, text string) {
		period, err := retention.Parse(text)
		if err == nil && (period < 0 || period > 36500*retention.Day || period == 0 && text != "forever") {
			t.Errorf("%q is %s", text, period)
		}
	})
}
