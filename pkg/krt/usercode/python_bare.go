package usercode

import "bytes"

// bare returns Python code of the same lines without its comments and the content of its
// strings. Of strings that hold expressions (f"…") these are left, in brackets.
func bare(text []byte) []byte {
	out := make([]byte, 0, len(text))
	for i := 0; i < len(text); {
		switch c := text[i]; c {
		case '#':
			n := bytes.IndexByte(text[i:], '\n')
			if n < 0 {
				return out
			}
			i += n
		case '"', '\'':
			n := pythonString(text[i:])
			if formatted(text[:i]) {
				out = appendExpressions(out, text[i:i+n])
			} else {
				out = append(out, '"')
				out = append(out, bytes.Repeat([]byte("\n"), bytes.Count(text[i:i+n], []byte("\n")))...)
				out = append(out, '"')
			}
			i += n
		default:
			out = append(out, c)
			i++
		}
	}
	return out
}

// appendExpressions appends the expressions in braces of a formatted string, and its ends of lines.
func appendExpressions(out, text []byte) []byte {
	depth := 0
	for i := 0; i < len(text); i++ {
		c := text[i]
		if depth == 0 {
			switch {
			case bytes.HasPrefix(text[i:], []byte("{{")):
				i++ // an escaped brace
			case c == '{':
				depth, out = 1, append(out, '(')
			case c == '\n':
				out = append(out, c)
			}
			continue
		}
		switch c {
		case '{':
			depth++
		case '}':
			if depth--; depth == 0 {
				c = ')'
			}
		}
		out = append(out, c)
	}
	return out
}

// pythonString is the length of the string that text begins with, quotes included.
func pythonString(text []byte) int {
	quote, triple := text[:1], false
	if bytes.HasPrefix(text, bytes.Repeat(quote, 3)) {
		quote, triple = text[:3], true
	}
	for i := len(quote); i < len(text); i++ {
		switch {
		case text[i] == '\\':
			i++
		case text[i] == '\n' && !triple:
			return i // it is broken
		case bytes.HasPrefix(text[i:], quote):
			return i + len(quote)
		}
	}
	return len(text)
}

// formatted reports whether the prefix that before ends in makes an f-string.
func formatted(before []byte) bool {
	prefix := before[max(len(before)-2, 0):]
	at := bytes.LastIndexAny(prefix, "fF")
	if at < 0 || at == 0 && len(prefix) == 2 && !bytes.ContainsAny(prefix[1:], "rR") {
		return false
	}
	start := len(before) - len(prefix) + at
	return start == 0 || !word(before[start-1]) || bytes.ContainsAny(before[start-1:start], "rR")
}

func word(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}
