package term

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Clocks of nodes may differ by any amount, and an entry's times are its node's word.
func TestBarsStayOnTheirAxis(t *testing.T) {
	begin := time.Unix(0, 0)
	end := begin.Add(time.Hour)
	for _, b := range []Bar{
		{Start: begin}, {Start: end}, {Start: end.Add(time.Hour), Wait: 100 * 365 * 24 * time.Hour, Run: 100 * 365 * 24 * time.Hour},
		{Start: begin.Add(-time.Hour), Wait: time.Minute}, {Start: begin, Wait: time.Hour}, {Start: begin, Run: time.Hour},
		{Start: time.UnixMicro(1e16 - 1), Wait: time.Hour},
	} {
		for _, over := range []time.Time{begin, end, b.Start.Add(b.Wait).Add(b.Run)} {
			drawn := b.draw(begin, over)
			require.Equal(t, barWidth, len([]rune(drawn)), "%v: %q", b, drawn)
			require.Contains(t, drawn, "█")
			require.Empty(t, strings.Trim(drawn, " ░█"))
		}
	}
}

func TestTimeline(t *testing.T) {
	require.Empty(t, Timeline("node", nil))
	begin := time.Unix(0, 0)
	require.Equal(t, ""+
		"step                                                wait       run  total ms\n"+
		"etl   ░░░░░░░░░░██████████                           5.0       5.0      10.0  first request\n"+
		"b                         ████████████████████       0.0      10.0      10.0  error  2 attempts\n",
		Timeline("step", []Bar{
			{Name: "etl", Start: begin, Wait: 5 * time.Millisecond, Run: 5 * time.Millisecond, Notes: []string{"first request"}},
			{Name: "b", Start: begin.Add(10 * time.Millisecond), Run: 10 * time.Millisecond, Notes: []string{"error", "2 attempts"}},
		}))
}
