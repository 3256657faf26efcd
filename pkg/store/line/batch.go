package line

import "bytes"

// batch is points for one request: in memory, or in a file.
type batch struct {
	points int
	size   int    // bytes of its lines
	lines  []byte // nil when it is in the file
	file   string
}

func inMemory(b *batch) bool { return b.lines != nil }
func inFile(b *batch) bool   { return b.lines == nil }

// halves returns the points of b in two batches; the second is nil when there is only one.
func (b *batch) halves() (first, second *batch) {
	points, end := b.points/2, 0
	if points == 0 {
		return b, nil
	}
	for range points {
		end += pointEnd(b.lines[end:])
	}
	return &batch{points: points, size: end, lines: b.lines[:end]},
		&batch{points: b.points - points, size: b.size - end, lines: b.lines[end:]}
}

// pointEnd returns where the first point of lines ends: no point has a line break in it.
func pointEnd(lines []byte) int {
	if i := bytes.IndexByte(lines, '\n'); i >= 0 {
		return i + 1
	}
	return len(lines)
}
