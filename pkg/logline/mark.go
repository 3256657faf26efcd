package logline

import (
	"math"
	"time"
)

// Mark is how far a log has been read. Marks can be compared; the zero Mark is that of a
// log of which no line has been read.
type Mark struct {
	second time.Time // the whole second of the newest line
	newest time.Time
	lines  int // how many lines of that second, or later, have been read
}

// IsZero reports whether no line has been read.
func (m Mark) IsZero() bool { return m.second.IsZero() }

// Second is the time from which on to open the log again: the whole second of the newest
// line that was read, because an API server accepts no fractions.
func (m Mark) Second() time.Time { return m.second }

// Add counts a line that was recorded at a time. The kubelet's own messages have no time,
// and are not counted. In a limited log, lines before the first one that was read count as
// read: they are returned when the log is opened again from that second on.
func (m *Mark) Add(at time.Time, limited bool) {
	second := at.Truncate(time.Second)
	switch {
	case at.IsZero():
		return
	case m.second.IsZero() && limited:
		m.second, m.lines = second, math.MaxInt-1
	case second.After(m.second):
		m.second, m.lines = second, 0
	}
	if !at.Before(m.second) && m.lines < math.MaxInt {
		m.lines++
	}
	if at.After(m.newest) {
		m.newest = at
	}
}

// Replay returns what finds the new lines of the log when it is opened again from the
// mark's second on.
func (m Mark) Replay() *Replay { return &Replay{mark: m} }

// Replay is a log that is opened again from the second of a [Mark] on.
type Replay struct {
	mark Mark // its lines are counted down as they are seen
	over bool // all further lines are new
}

// Seen reports whether the next line was read before; at is its time. Lines are counted
// because several can have the same time, and those of standard output and standard error
// are not strictly in order. A log that was rotated lacks lines that were counted: a line
// that is newer than all that were read is a new one in any case.
func (r *Replay) Seen(at time.Time) bool {
	switch {
	case r.over || at.IsZero():
		return false
	case at.Before(r.mark.second):
		return true
	case r.mark.lines > 0 && !at.After(r.mark.newest):
		r.mark.lines--
		return true
	}
	r.over = true
	return false
}
