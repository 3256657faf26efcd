package line

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

// pointEnd returns where the first point of lines ends. The text of a string may have line
// breaks, which do not end it.
func pointEnd(lines []byte) int {
	i := 0
	for ; i < len(lines) && lines[i] != ' '; i++ { // the name and the tags
		if lines[i] == '\\' {
			i++
		}
	}
	quoted, value := false, false
	for ; i < len(lines); i++ {
		switch c := lines[i]; {
		case c == '\\':
			i++
			value = false
		case quoted:
			quoted = c != '"'
		case c == '"' && value:
			quoted = true
		case c == '\n':
			return i + 1
		default:
			value = c == '='
		}
	}
	return len(lines)
}
