package sqlite

import (
	"bytes"
	"encoding/json"
	"slices"
	"unicode/utf8"

	"krt.dev/kn-krt/pkg/runner/store/query"
	"krt.dev/kn-krt/pkg/store"
)

// named returns the names of the fields that decide whether a document meets q, or false if
// all of it may.
func named(q query.Query) (names []string, ok bool) {
	for _, c := range q {
		joins := c.Op == query.And || c.Op == query.Or || c.Op == query.Not
		switch {
		case len(c.Path) > 0:
			names = append(names, c.Path[0])
		case !joins:
			return nil, false
		}
		for _, of := range c.Of {
			below, known := named(of)
			if joins && !known {
				return nil, false
			}
			names = append(names, below...)
		}
	}
	return names, true
}

// fields decodes the fields of a document that have one of the names: a search reads many
// documents, and decoding one whole takes longer than reading it. It returns false if the
// text is not an object as the store writes it.
func fields(document []byte, names []string) (found map[string]any, ok bool) {
	found = map[string]any{}
	rest, ok := after(document, '{')
	if end, empty := after(rest, '}'); ok && empty {
		return found, len(end) == 0
	}
	for ok {
		var name, value []byte
		if name, value, rest = member(rest); len(value) == 0 {
			return nil, false
		}
		if key, is := decoded(name); !is || slices.Contains(names, key.(string)) {
			one, valid := decoded(value)
			if !is || !valid {
				return nil, false
			}
			found[key.(string)] = one
		}
		if end, last := after(rest, '}'); last {
			return found, len(bytes.TrimSpace(end)) == 0
		}
		rest, ok = after(rest, ',')
	}
	return nil, false
}

// member cuts a name and its value off; the value is empty if there is none.
func member(text []byte) (name, value, rest []byte) {
	name, rest = cut(text)
	rest, ok := after(rest, ':')
	if !ok || len(name) < 2 || name[0] != '"' {
		return nil, nil, nil
	}
	value, rest = cut(rest)
	return name, value, rest
}

// after returns what follows a character, with white space around it.
func after(text []byte, c byte) (rest []byte, ok bool) {
	text = bytes.TrimLeft(text, " \t\r\n")
	if len(text) == 0 || text[0] != c {
		return text, false
	}
	return bytes.TrimLeft(text[1:], " \t\r\n"), true
}

// cut cuts the JSON value off with which text begins; it is empty if there is none.
func cut(text []byte) (value, rest []byte) {
	depth := 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '"':
			i = closing(text, i+1)
			if depth == 0 && i < len(text) {
				return text[:i+1], text[i+1:]
			}
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return text[:i+1], text[i+1:]
			}
			if depth < 0 { // it was a number or a name
				return text[:i], text[i:]
			}
		case ',', ':', ' ', '\t', '\r', '\n':
			if depth == 0 {
				return text[:i], text[i:]
			}
		}
	}
	return nil, nil
}

// closing returns where the string ends whose text begins at i.
func closing(text []byte, i int) int {
	for ; i < len(text) && text[i] != '"'; i++ {
		if text[i] == '\\' {
			i++
		}
	}
	return i
}

// decoded decodes one JSON value, with numbers as json.Number.
func decoded(text []byte) (value any, ok bool) {
	switch c := text[0]; {
	case c == '"' && bytes.IndexByte(text, '\\') < 0 && utf8.Valid(text):
		return string(text[1 : len(text)-1]), true
	case c == '-' || c >= '0' && c <= '9':
		return json.Number(text), true
	}
	err := store.Decode(text, &value)
	return value, err == nil
}
