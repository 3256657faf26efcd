package dict

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"
)

// Numbers of the fields of google.protobuf's Struct, its map entry, Value and
// ListValue.
const (
	fieldFields = 1
	fieldKey    = 1
	fieldValue  = 2

	fieldNull   = 1
	fieldNumber = 2
	fieldText   = 3
	fieldBool   = 4
	fieldStruct = 5
	fieldList   = 6

	fieldValues = 1

	// fieldMark is not a field of Value. It holds what Value cannot represent.
	fieldMark = 1000
)

// Values of fieldMark.
const (
	markWhole = 1 // the text is a whole number that a double does not hold
	markFloat = 2 // the number, a whole one, was written as a float: 2.0
)

// Number literals that no JSON writer produces, in place of values that JSON lacks.
const (
	literalNaN      = "0e999999"
	literalInfinity = "1e999999"
)

var errTooDeep = fmt.Errorf("the value is nested deeper than %d levels", maxDepth)

// reader converts JSON text to the wire form of Value.
type reader struct{ decoder *json.Decoder }

func newReader(text []byte) *reader {
	decoder := json.NewDecoder(bytes.NewReader(plain(text)))
	decoder.UseNumber()
	return &reader{decoder}
}

func isObject(token json.Token) bool { return token == json.Delim('{') }

func (r *reader) token() (json.Token, error) {
	token, err := r.decoder.Token()
	if err != nil {
		return nil, fmt.Errorf("the value is not JSON: %w", err)
	}
	return token, nil
}

func (r *reader) end() error {
	if _, err := r.decoder.Token(); !errors.Is(err, io.EOF) {
		return errors.New("the value is not JSON: there is more after its end")
	}
	return nil
}

// object appends the fields of a Struct. Its opening brace has been read.
func (r *reader) object(b []byte, depth int) ([]byte, error) {
	return r.inside(b, depth, func(b []byte) ([]byte, error) {
		key, err := r.token()
		if err != nil {
			return nil, err
		}
		value, err := r.next(depth + 1)
		entry := protowire.AppendTag(nil, fieldKey, protowire.BytesType)
		entry = protowire.AppendString(entry, key.(string))
		return appendBytes(b, fieldFields, appendBytes(entry, fieldValue, value)), err
	})
}

// list appends the values of a ListValue. Its opening bracket has been read.
func (r *reader) list(b []byte, depth int) ([]byte, error) {
	return r.inside(b, depth, func(b []byte) ([]byte, error) {
		value, err := r.next(depth + 1)
		return appendBytes(b, fieldValues, value), err
	})
}

// inside calls one for each element of an object or a list, and reads the mark
// that closes it.
func (r *reader) inside(b []byte, depth int, one func([]byte) ([]byte, error)) ([]byte, error) {
	if depth > maxDepth {
		return nil, errTooDeep
	}
	var err error
	for r.decoder.More() {
		if b, err = one(b); err != nil {
			return nil, err
		}
	}
	_, err = r.token()
	return b, err
}

// next returns the next Value.
func (r *reader) next(depth int) ([]byte, error) {
	token, err := r.token()
	if err != nil {
		return nil, err
	}
	return r.value(nil, token, depth)
}

// value appends the Value that begins with token.
func (r *reader) value(b []byte, token json.Token, depth int) ([]byte, error) {
	switch v := token.(type) {
	case json.Delim:
		field, read := protowire.Number(fieldList), r.list
		if isObject(v) {
			field, read = fieldStruct, r.object
		}
		inner, err := read(nil, depth)
		if err != nil {
			return nil, err
		}
		return appendBytes(b, field, inner), nil
	case string:
		return appendBytes(b, fieldText, []byte(v)), nil
	case bool:
		b = protowire.AppendTag(b, fieldBool, protowire.VarintType)
		return protowire.AppendVarint(b, protowire.EncodeBool(v)), nil
	case json.Number:
		return appendNumber(b, v.String()), nil
	}
	b = protowire.AppendTag(b, fieldNull, protowire.VarintType)
	return protowire.AppendVarint(b, 0), nil
}

// appendNumber appends the Value of a number's literal.
func appendNumber(b []byte, literal string) []byte {
	float := strings.ContainsAny(literal, ".eE")
	number, _ := strconv.ParseFloat(literal, 64) // out of range is infinite
	if literal == literalNaN {
		number = math.NaN()
	}
	const most = 1 << 53
	if !float && (number >= most || number <= -most) { // from there on one double may represent two
		return appendMark(appendBytes(b, fieldText, []byte(literal)), markWhole)
	}
	b = protowire.AppendTag(b, fieldNumber, protowire.Fixed64Type)
	b = protowire.AppendFixed64(b, math.Float64bits(number))
	if float && number == math.Trunc(number) && !math.IsInf(number, 0) {
		b = appendMark(b, markFloat)
	}
	return b
}

func appendBytes(b []byte, field protowire.Number, content []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, field, protowire.BytesType), content)
}

func appendMark(b []byte, mark uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, fieldMark, protowire.VarintType), mark)
}

// plain returns text with NaN, Infinity and -Infinity as number literals.
func plain(text []byte) []byte {
	if !bytes.Contains(text, []byte("NaN")) && !bytes.Contains(text, []byte("Infinity")) {
		return text
	}
	out := make([]byte, 0, len(text)+16)
	for i := 0; i < len(text); {
		switch rest := text[i:]; {
		case rest[0] == '"':
			n := stringLength(rest)
			out = append(out, rest[:n]...)
			i += n
		case bytes.HasPrefix(rest, []byte("NaN")):
			out = append(out, literalNaN...)
			i += len("NaN")
		case bytes.HasPrefix(rest, []byte("Infinity")):
			out = append(out, literalInfinity...)
			i += len("Infinity")
		default:
			out = append(out, rest[0])
			i++
		}
	}
	return out
}

// stringLength is the length of the JSON string that text begins with.
func stringLength(text []byte) int {
	for i := 1; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(text)
}
