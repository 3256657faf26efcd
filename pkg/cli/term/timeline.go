package term

import (
	"bytes"
	"fmt"
	"strings"
	"time"

	"krt.dev/kn-krt/pkg/legible"
)

// barWidth is how many characters wide the time from the first bar's start to the last
// one's end is.
const barWidth = 40

// Bar is a row of a [Timeline].
type Bar struct {
	Name  string
	Start time.Time
	// Wait is how long it waited for its turn, Run how long it ran after that.
	Wait, Run time.Duration
	// Notes are what is special about it.
	Notes []string
}

// Timeline is a line for each bar, with its time on an axis that all share: first it waited
// for its turn (░), then it ran (█). head is the title of the names.
func Timeline(head string, bars []Bar) string {
	if len(bars) == 0 {
		return ""
	}
	begin, end, width := bars[0].Start, time.Time{}, len(head)
	for _, b := range bars {
		width = max(width, len(b.Name))
		if b.Start.Before(begin) {
			begin = b.Start
		}
		if over := b.Start.Add(b.Wait).Add(b.Run); over.After(end) {
			end = over
		}
	}
	var out bytes.Buffer
	fmt.Fprintf(&out, "%-*s  %-*s  %8s  %8s  %8s\n", width, head, barWidth, "", "wait", "run", "total ms")
	for _, b := range bars {
		notes := ""
		for _, note := range b.Notes {
			notes += "  " + note
		}
		fmt.Fprintf(&out, "%-*s  %s  %8s  %8s  %8s%s\n", width, b.Name, b.draw(begin, end),
			legible.Milliseconds(b.Wait), legible.Milliseconds(b.Run), legible.Milliseconds(b.Wait+b.Run), notes)
	}
	return out.String()
}

// draw draws a bar on the axis from begin to end.
func (b Bar) draw(begin, end time.Time) string {
	scale := float64(max(end.Sub(begin), 1))
	at := func(t time.Time) int {
		return min(max(int(barWidth*float64(t.Sub(begin))/scale+0.5), 0), barWidth)
	}
	ready := b.Start.Add(b.Wait)
	from, turn, to := at(b.Start), at(ready), at(ready.Add(b.Run))
	if turn == to { // it ran, however short: that is seen
		turn = max(min(turn, barWidth-1), 0)
		from, to = min(from, turn), turn+1
	}
	return strings.Repeat(" ", from) + strings.Repeat("░", turn-from) + strings.Repeat("█", to-turn) + strings.Repeat(" ", barWidth-to)
}
