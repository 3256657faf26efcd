package store

import (
	"bytes"
	"encoding/json"
	"strconv"
	"unicode/utf16"

	wire "krt.dev/kn-krt/pkg/runner/store"
)

// checkID refuses an "_id" that some database cannot tell from another one. Text is the body of
// the request, in which it is data._id.
func checkID(id any, text []byte) error {
	if err := wire.CheckID(id); err != nil {
		return Refuse("%v", err)
	}
	if hasSurrogate(text) { // rare, so the body is read again
		var body struct {
			Data map[string]json.RawMessage `json:"data"`
		}
		if err := json.Unmarshal(text, &body); err != nil {
			return Refuse("the body is malformed: %v", err)
		}
		if hasSurrogate(body.Data[wire.KeyID]) {
			return Refuse("data: the _id has half of a surrogate pair, which is not a character")
		}
	}
	return nil
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
