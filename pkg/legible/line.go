// Package legible makes text for people: of what others wrote, of sizes, counts and times. It is
// used by the command line and the dashboard.
package legible

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"krt.dev/kn-krt/pkg/runner/clip"
)

// Line returns text, which others wrote, as a part of one line of a terminal: at most most
// bytes of it, white space as single spaces, and what a terminal does not print as it is,
// such as its control characters, escaped.
func Line(text string, most int) string {
	return Printable(strings.Join(strings.Fields(clip.Text(text, most)), " "))
}

// Printable returns text, which others wrote, with what a terminal does not print as it is
// escaped, such as the control characters that steer it. Line breaks and tabs stay.
func Printable(text string) string {
	if strings.IndexFunc(text, func(r rune) bool { return !printed(r) }) < 0 {
		return text
	}
	var b strings.Builder
	for _, r := range text {
		if printed(r) {
			b.WriteRune(r)
			continue
		}
		quoted := strconv.QuoteRuneToASCII(r)
		b.WriteString(quoted[1 : len(quoted)-1])
	}
	return b.String()
}

// printed reports whether a terminal prints r as it is.
func printed(r rune) bool {
	const joiners = "\u200c\u200d" // some languages, and pictures, are written with them
	return unicode.IsPrint(r) && r != utf8.RuneError || unicode.Is(unicode.Zs, r) || strings.ContainsRune("\n\t"+joiners, r)
}

// PrintableJSON returns valid JSON with what a terminal does not print as it is as \u
// escapes, so that it means the same. Such characters are in JSON's strings only, and those
// below U+0020 are escaped already.
func PrintableJSON(text []byte) []byte {
	if bytes.IndexFunc(text, func(r rune) bool { return !printed(r) }) < 0 {
		return text
	}
	var b bytes.Buffer
	for len(text) > 0 {
		r, size := utf8.DecodeRune(text)
		text = text[size:]
		if printed(r) || r == '\r' { // white space between values
			b.WriteRune(r)
			continue
		}
		for _, unit := range utf16.AppendRune(nil, r) {
			fmt.Fprintf(&b, `\u%04x`, unit)
		}
	}
	return b.Bytes()
}
