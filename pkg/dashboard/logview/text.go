// Package logview makes lines of logs fit for a page, whatever their programs have written, and
// holds them on their way to a browser that may be slower than they are.
package logview

import (
	"strings"

	"krt.dev/kn-krt/pkg/legible"
	"krt.dev/kn-krt/pkg/runner/clip"
)

// Clean returns text as a page shows it: without the escape sequences by which programs set colours
// on terminals, and with other control characters, those that change the direction of text, and
// bytes that are not UTF-8 escaped. Line breaks and tabs stay.
func Clean(text string) string { return legible.Printable(uncoloured(text)) }

// escape begins a control sequence (ECMA-48, 5.4): parameters, then a final byte, which is m for
// colours (SGR).
const escape = "\x1b["

// uncoloured returns text without sequences that set colours.
func uncoloured(text string) string {
	if !strings.Contains(text, escape) {
		return text
	}
	var b strings.Builder
	for {
		before, after, found := strings.Cut(text, escape)
		b.WriteString(before)
		if !found {
			return b.String()
		}
		rest := strings.TrimLeft(after, "0123456789;:")
		if !strings.HasPrefix(rest, "m") {
			b.WriteString(escape)
			text = after
			continue
		}
		text = rest[1:]
	}
}

// cut shortens text to most bytes, and returns how many bytes were left out.
func cut(text string, most int) (string, int) {
	if len(text) <= most {
		return text, 0
	}
	at := clip.At(text, most)
	return text[:at], len(text) - at
}
