package requirement

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// decode returns a file's text. Like pip it takes UTF-8, and UTF-16 that begins with a byte order mark, as
// PowerShell's "pip freeze > requirements.txt" writes it.
func decode(text []byte) (string, error) {
	var order binary.ByteOrder
	switch {
	case bytes.HasPrefix(text, []byte{0xff, 0xfe}):
		order = binary.LittleEndian
	case bytes.HasPrefix(text, []byte{0xfe, 0xff}):
		order = binary.BigEndian
	case utf8.Valid(text):
		return strings.TrimPrefix(string(text), "\ufeff"), nil
	default:
		return "", errors.New("it is not text in UTF-8")
	}
	if len(text)%2 != 0 {
		return "", errors.New("it begins as text in UTF-16 and ends within a character")
	}
	var units []uint16
	for i := 2; i < len(text); i += 2 {
		units = append(units, order.Uint16(text[i:]))
	}
	return string(utf16.Decode(units)), nil
}
