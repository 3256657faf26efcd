package store

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
	"unicode/utf16"

	wire "krt.dev/kn-krt/pkg/runner/store"
)

// checkID refuses an "_id" that some database cannot tell from another one. Text is the body of
// the request, in which it is data._id.
func checkID(id any, text []byte) error {
	if _, isList := id.([]any); isList {
		return Refuse("data: an _id cannot be an array")
	}
	if n, is := largeNumber(id); is {
		return Refuse("data: the _id has the number %.40s, which is beyond 64 bits: save it as a text", n)
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

// largeNumber returns a number in v that is an integer of more than 64 bits or no float64.
func largeNumber(v any) (n json.Number, is bool) {
	switch v := v.(type) {
	case []any:
		for _, element := range v {
			if n, is = largeNumber(element); is {
				return n, true
			}
		}
	case map[string]any:
		for _, member := range v {
			if n, is = largeNumber(member); is {
				return n, true
			}
		}
	case json.Number:
		_, err := strconv.ParseInt(string(v), 10, 64)
		if strings.ContainsAny(string(v), ".eE") {
			_, err = v.Float64()
		}
		return v, err != nil
	}
	return "", false
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
