package dict

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"
)

var errMalformed = errors.New("the value cannot be decoded: it is not a google.protobuf.Struct or Value")

// field is one field of a message on the wire.
type field struct {
	number  protowire.Number
	kind    protowire.Type
	integer uint64 // of a varint or fixed64
	content []byte // of bytes
}

// fields calls each for the fields of data, in order.
func fields(data []byte, each func(field) error) error {
	for len(data) > 0 {
		number, kind, n := protowire.ConsumeTag(data)
		if n < 0 {
			return errMalformed
		}
		data = data[n:]
		f := field{number: number, kind: kind}
		switch kind {
		case protowire.VarintType:
			f.integer, n = protowire.ConsumeVarint(data)
		case protowire.Fixed64Type:
			f.integer, n = protowire.ConsumeFixed64(data)
		case protowire.BytesType:
			f.content, n = protowire.ConsumeBytes(data)
		default:
			n = protowire.ConsumeFieldValue(number, kind, data)
		}
		if n < 0 {
			return errMalformed
		}
		data = data[n:]
		if err := each(f); err != nil {
			return err
		}
	}
	return nil
}

// readStruct appends as JSON the Struct whose wire form is data.
func readStruct(b, data []byte, depth int) ([]byte, error) {
	if depth > maxDepth {
		return nil, errTooDeep
	}
	b = append(b, '{')
	err := fields(data, func(entry field) (err error) {
		if entry.number != fieldFields || entry.kind != protowire.BytesType {
			return nil
		}
		var key string
		var value []byte
		err = fields(entry.content, func(f field) error {
			switch {
			case f.kind != protowire.BytesType:
			case f.number == fieldKey:
				key = string(f.content)
			case f.number == fieldValue:
				value = f.content
			}
			return nil
		})
		if err != nil {
			return err
		}
		b = append(appendText(separate(b), key), ':')
		b, err = readValue(b, value, depth+1)
		return err
	})
	return append(b, '}'), err
}

func readList(b, data []byte, depth int) ([]byte, error) {
	if depth > maxDepth {
		return nil, errTooDeep
	}
	b = append(b, '[')
	err := fields(data, func(f field) (err error) {
		if f.number == fieldValues && f.kind == protowire.BytesType {
			b, err = readValue(separate(b), f.content, depth+1)
		}
		return err
	})
	return append(b, ']'), err
}

// separate appends the comma before all elements but the first.
func separate(b []byte) []byte {
	if last := b[len(b)-1]; last == '{' || last == '[' {
		return b
	}
	return append(b, ',')
}

// readValue appends as JSON the Value whose wire form is data.
func readValue(b, data []byte, depth int) ([]byte, error) {
	var kind field
	var mark uint64
	err := fields(data, func(f field) error {
		switch {
		case f.number == fieldMark:
			mark = f.integer
		case f.number <= fieldList:
			kind = f
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if kind.number != 0 && kind.kind != kindOf(kind.number) {
		return nil, fmt.Errorf("%w: field %d", errMalformed, kind.number)
	}
	switch kind.number {
	case fieldNumber:
		return appendDouble(b, math.Float64frombits(kind.integer), mark == markFloat), nil
	case fieldBool:
		return strconv.AppendBool(b, kind.integer != 0), nil
	case fieldStruct:
		return readStruct(b, kind.content, depth)
	case fieldList:
		return readList(b, kind.content, depth)
	case fieldText:
		return appendMarked(b, string(kind.content), mark), nil
	}
	return append(b, "null"...), nil
}

// appendMarked appends a text, or the whole number if it is marked as one.
func appendMarked(b []byte, text string, mark uint64) []byte {
	if mark == markWhole && isWhole(text) {
		return append(b, text...)
	}
	return appendText(b, text)
}

// kindOf returns the wire type of a field of Value.
func kindOf(number protowire.Number) protowire.Type {
	switch number {
	case fieldNull, fieldBool:
		return protowire.VarintType
	case fieldNumber:
		return protowire.Fixed64Type
	}
	return protowire.BytesType
}

func isWhole(text string) bool {
	digits := strings.TrimPrefix(text, "-")
	return digits != "" && (digits == "0" || digits[0] != '0') && !slices.ContainsFunc([]byte(digits), func(c byte) bool {
		return c < '0' || c > '9'
	})
}

// appendDouble appends x as Python writes it. A whole number is an int unless it is
// marked as a float.
func appendDouble(b []byte, x float64, float bool) []byte {
	switch {
	case math.IsNaN(x):
		return append(b, "NaN"...)
	case math.IsInf(x, 1):
		return append(b, "Infinity"...)
	case math.IsInf(x, -1):
		return append(b, "-Infinity"...)
	case !float && x == math.Trunc(x) && math.Abs(x) <= 1<<53:
		return strconv.AppendInt(b, int64(x), 10)
	}
	at := len(b)
	b = strconv.AppendFloat(b, x, 'g', -1, 64)
	if !slices.ContainsFunc(b[at:], func(c byte) bool { return c == '.' || c == 'e' }) {
		b = append(b, ".0"...)
	}
	return b
}

func appendText(b []byte, text string) []byte {
	quoted, _ := json.Marshal(strings.ToValidUTF8(text, "�")) // a string has always a JSON form
	return append(b, quoted...)
}
