package schema

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

// JSONError is the text of err, which protojson returned for text, without its prefix "proto:" and
// with usual spaces: protobuf-go varies the space after the prefix on purpose. Where protojson does
// not say what is wrong and where, it does: "(line 1:8): …", as protojson counts.
func JSONError(text []byte, err error) string {
	said := strings.ReplaceAll(err.Error(), "\u00a0", " ")
	said = strings.TrimLeft(strings.TrimPrefix(said, "proto:"), " ")
	if len(bytes.TrimSpace(text)) == 0 {
		return "it has only white space; a message without fields is {}"
	}
	if kind := noObject(text, said); kind != "" {
		return said + ": it is " + kind + ", and a message with fields is an object, {…}"
	}
	if !strings.HasSuffix(said, "unexpected EOF") && !strings.HasSuffix(strings.TrimRight(said, " "), "unexpected token") {
		return said
	}
	var syntax *json.SyntaxError
	var skipped json.RawMessage
	if errors.As(json.Unmarshal(text, &skipped), &syntax) {
		if at := int(syntax.Offset); at < len(text) || !ended(syntax.Error(), text) {
			return place(text, at-1) + syntax.Error()
		}
		return place(text, len(text)) + "the JSON ends here before it is complete"
	}
	if at := halfCharacter(text); at >= 0 {
		return place(text, at) + string(text[at:at+6]) + " is half of a character; the other half must follow"
	}
	return said
}

// noObject names what text is as a whole, if that is what is wrong with it by what is said: something else than an object.
func noObject(text []byte, said string) string {
	start := bytes.TrimLeft(text, " \t\r\n")
	if !json.Valid(text) || !strings.Contains(said, place(text, len(text)-len(start))+"unexpected token") {
		return ""
	}
	switch start[0] {
	case '{':
		return ""
	case '[':
		return "a list"
	case '"':
		return "a string"
	case 'n':
		return "null"
	case 't', 'f':
		return "true or false"
	}
	return "a number"
}

// ended reports whether what is said, of the last byte of text, is that it ends: package json reads a space then.
func ended(said string, text []byte) bool {
	return strings.HasPrefix(said, "unexpected end") || strings.HasPrefix(said, "invalid character ' '") && text[len(text)-1] != ' '
}

// place is how protojson names the byte at an offset: its line, and the character in that.
func place(text []byte, at int) string {
	before := text[:min(max(at, 0), len(text))]
	line := bytes.Count(before, []byte("\n")) + 1
	before = before[bytes.LastIndexByte(before, '\n')+1:]
	return fmt.Sprintf("(line %d:%d): ", line, utf8.RuneCount(before)+1)
}

var escape = regexp.MustCompile(`\\(?:u[0-9A-Fa-f]{4}|.)`)

// halfCharacter returns where an escape sequence is of a surrogate without the other of its pair; -1 if none is.
func halfCharacter(text []byte) int {
	high := -1 // where one is whose other half must come next
	for _, at := range escape.FindAllIndex(text, -1) {
		var unit uint64
		if at[1]-at[0] == 6 {
			unit, _ = strconv.ParseUint(string(text[at[0]+2:at[1]]), 16, 16)
		}
		low := unit >= 0xdc00 && unit < 0xe000
		switch {
		case high >= 0 && (!low || at[0] != high+6):
			return high
		case high < 0 && low:
			return at[0]
		}
		high = -1
		if unit >= 0xd800 && unit < 0xdc00 {
			high = at[0]
		}
	}
	return high
}
