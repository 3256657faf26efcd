package postgres

import (
	"encoding/json"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"krt.dev/kn-krt/pkg/store"
)

// encode encodes v as JSON whose numbers jsonb keeps: it has decimal numbers without exponents,
// and would make an integer of 1e16. Those that are no integers of 64 bits have the value of
// a float64, as in every other backend.
func encode(v any) (string, error) {
	text, err := store.Encode(decimal(v))
	return string(text), err
}

func decimal(v any) any {
	switch v := v.(type) {
	case store.Document:
		return decimal(map[string]any(v))
	case map[string]any:
		with := make(map[string]any, len(v))
		for key, member := range v {
			with[key] = decimal(member)
		}
		return with
	case []any:
		with := make([]any, len(v))
		for i, element := range v {
			with[i] = decimal(element)
		}
		return with
	case json.Number:
		return decimalNumber(v)
	}
	return v
}

// exactFloat is the first float64 from which on all are integers.
const exactFloat = 1 << 53

func decimalNumber(n json.Number) json.Number {
	if !strings.ContainsAny(string(n), ".eE") {
		return n
	}
	f, err := n.Float64()
	if err != nil {
		return n // too large: PostgreSQL reports it, or can keep it
	}
	if math.Abs(f) >= exactFloat {
		return json.Number(strconv.FormatFloat(f, 'f', 1, 64))
	}
	text := strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.Contains(text, ".") {
		text += ".0"
	}
	return json.Number(text)
}

// rounded reports whether v has a number that is compared as a float64 with the integers of documents
// that are beyond 64 bits, of which several have its value. In jsonb they all differ.
func rounded(v any) bool {
	switch v := v.(type) {
	case []any:
		return slices.ContainsFunc(v, rounded)
	case map[string]any:
		return slices.ContainsFunc(slices.Collect(maps.Values(v)), rounded)
	case json.Number:
		if i, err := strconv.ParseInt(string(v), 10, 64); err == nil {
			return i == math.MinInt64
		}
		f, _ := v.Float64() // infinite if it is too large
		return math.Abs(f) >= 1<<63
	}
	return false
}
