// Package clip shortens text without cutting a character in two.
package clip

import "unicode/utf8"

// Text returns text if it has at most the given number of bytes, and otherwise
// the whole characters that fit into them, followed by "…".
func Text(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return text[:At(text, most)] + "…"
}

// At returns where text, which is longer than most bytes, can be cut: most, or
// up to 3 bytes before it where most lies within a character. What is not UTF-8
// is cut at most.
func At[T string | []byte](text T, most int) int {
	for at := most; at >= 0 && most-at < utf8.UTFMax; at-- {
		if utf8.RuneStart(text[at]) {
			return at
		}
	}
	return most
}
