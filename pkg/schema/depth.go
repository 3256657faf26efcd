package schema

import "bytes"

// deepest is how many brackets may be open at once in a proto. protoc stops at 32
// nested messages; option literals add theirs. The compiler recurses, and full names
// grow with the square of the depth, so depth is bounded before it runs.
const deepest = 64

// tooDeep returns the place, from 1, where text has more than deepest brackets open, or 0, 0.
func tooDeep(text []byte) (line, column int) {
	depth := 0
	for i := 0; i < len(text); {
		switch text[i] {
		case '{', '[', '(', '<':
			if depth++; depth > deepest {
				return bytes.Count(text[:i], []byte("\n")) + 1, i - bytes.LastIndexByte(text[:i], '\n')
			}
			i++
		case '}', ']', ')', '>':
			depth = max(0, depth-1)
			i++
		case '"', '\'':
			i += stringLength(text[i:])
		case '/':
			i += commentLength(text[i:])
		default:
			i++
		}
	}
	return 0, 0
}

// stringLength returns how many bytes the string literal at text's beginning takes. A
// literal never continues on the next line.
func stringLength(text []byte) int {
	for i := 1; i < len(text); i++ {
		switch text[i] {
		case text[0]:
			return i + 1
		case '\n':
			return i
		case '\\':
			if i+1 < len(text) && text[i+1] != '\n' {
				i++
			}
		}
	}
	return len(text)
}

// commentLength returns how many bytes the comment at text's beginning takes, 1 when the
// slash begins none.
func commentLength(text []byte) int {
	end := "\n"
	switch {
	case bytes.HasPrefix(text, []byte("/*")):
		end = "*/"
	case !bytes.HasPrefix(text, []byte("//")):
		return 1
	}
	if n := bytes.Index(text[2:], []byte(end)); n >= 0 {
		return 2 + n + len(end)
	}
	return len(text)
}
