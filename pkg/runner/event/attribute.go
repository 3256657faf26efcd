package event

import (
	"net/url"
	"strings"
	"unicode/utf8"
)

// EncodeAttribute returns the value of an attribute as the HTTP binding writes it
// into a header (CloudEvents HTTP binding 1.0, 3.1.3.2): space, double quote, percent
// and everything outside printable ASCII are percent-encoded.
func EncodeAttribute(value string) string { return encode(value) }

// DecodeAttribute returns the value of an attribute in a producer's header: a quoted
// string is unquoted, then percent-encoded bytes are decoded. A value that is not
// valid percent-encoding, or would not be UTF-8, is returned as it is, because many
// producers do not encode.
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
