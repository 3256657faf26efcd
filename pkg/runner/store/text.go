package store

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"unicode/utf16"
)

// CheckText returns why body, a JSON value, has text that cannot be kept: an escape of one half of
// a surrogate pair without the other one, of which decoding makes U+FFFD.
func CheckText(body []byte) error {
	if !hasSurrogate(body) {
		return nil
	}
	const what = "half of a surrogate pair, which is not a character"
	switch place, isKey := surrogate(body, 0); {
	case place == "":
		return errors.New("the body has " + what)
	case isKey:
		return fmt.Errorf("%s: a key has %s", place, what)
	default:
		return fmt.Errorf("%s: it has %s", place, what)
	}
}

// maxPlace limits how deep a place is searched for: each level is read again.
const maxPlace = 8

// surrogate returns the place of a text that hasSurrogate, such as data.rooms.0.name, or that of
// the object with such a key.
func surrogate(value []byte, depth int) (place string, isKey bool) {
	var object map[string]json.RawMessage
	var list []json.RawMessage
	if depth == maxPlace || json.Unmarshal(value, &object) != nil && json.Unmarshal(value, &list) != nil {
		return "", false
	}
	for i, element := range list {
		if hasSurrogate(element) {
			place, isKey = surrogate(element, depth+1)
			return joinPlace(strconv.Itoa(i), place), isKey
		}
	}
	for key, member := range object {
		if hasSurrogate(member) {
			place, isKey = surrogate(member, depth+1)
			return joinPlace(key, place), isKey
		}
	}
	return "", object != nil
}

func joinPlace(key, rest string) string {
	if rest == "" {
		return key
	}
	return key + "." + rest
}

// hasSurrogate reports whether JSON has an escape of one half of a surrogate pair without the
// other one. Decoding makes U+FFFD of each such half.
func hasSurrogate(text []byte) bool {
	for {
		at := bytes.IndexByte(text, '\\')
		if at < 0 || at+1 == len(text) {
			return false
		}
		text = text[at:]
		r, isUnicode := escaped(text)
		if !isUnicode || !utf16.IsSurrogate(r) {
			text = text[2:]
			continue
		}
		text = text[6:]
		if second, ok := escaped(text); ok && utf16.DecodeRune(r, second) != '\ufffd' {
			text = text[6:]
			continue
		}
		return true
	}
}

// escaped reads an escape such as \u00e9 at the beginning of text.
func escaped(text []byte) (rune, bool) {
	if len(text) < 6 || text[0] != '\\' || text[1] != 'u' {
		return 0, false
	}
	n, err := strconv.ParseUint(string(text[2:6]), 16, 16)
	return rune(n), err == nil
}
