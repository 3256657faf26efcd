package event

import (
	"net/url"
	"strings"
	"unicode/utf8"
)

// EncodeAttribute returns an attribute's value as the HTTP binding writes it into
// a header (CloudEvents HTTP binding 1.0, 3.1.3.2): percent-encoded outside
// printable ASCII, space, double quote and percent.
func EncodeAttribute(value string) string { return encode(value) }

// DecodeAttribute returns the attribute's value that a header of a producer holds:
// a quoted string is unquoted, then percent-encoded bytes are decoded. What is
// not valid percent-encoding stands for itself, for many producers do not
// encode; so does what would not be UTF-8.
func DecodeAttribute(header string) string {
	value := header
	if n := len(value); n >= 2 && value[0] == '"' && value[n-1] == '"' {
		value = unquote(value[1 : n-1])
	}
	if !strings.Contains(value, "%") {
		return value
	}
	if decoded, err := url.PathUnescape(value); err == nil && utf8.ValidString(decoded) {
		return decoded
	}
	return value
}

// unquote removes the backslashes of a quoted string.
func unquote(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
