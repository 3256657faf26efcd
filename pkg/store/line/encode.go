package line

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"krt.dev/kn-krt/pkg/runner/store"
)

// Kinds of a field's value, in InfluxDB's words.
const (
	kindInteger = "integer"
	kindFloat   = "float"
	kindString  = "string"
	kindBoolean = "boolean"
)

// encode returns m as one line of the line protocol, with its time in nanoseconds.
// Tags and fields are in the order of their names; tags with no value, which the protocol
// does not have, are left out. Integers stay integers. The error names the tag or field
// that the protocol cannot carry.
func encode(m store.Measurement) ([]byte, error) {
	if err := checkName("name", m.Name); err != nil {
		return nil, err
	}
	if strings.ContainsRune("#\t\x00", rune(m.Name[0])) {
		return nil, fmt.Errorf("name: %q: the line protocol reads no name that begins with #, a tab or a zero byte", m.Name)
	}
	lines := []byte(nameEscapes.Replace(m.Name))
	for _, key := range slices.Sorted(maps.Keys(m.Tags)) {
		value := m.Tags[key]
		if value == "" {
			continue
		}
		if err := checkName("tags", key); err != nil {
			return nil, err
		}
		if err := checkEscapes(value); err != nil {
			return nil, fmt.Errorf("tags: %q: %w", key, err)
		}
		lines = append(lines, ","+keyEscapes.Replace(key)+"="+keyEscapes.Replace(value)...)
	}
	separator := byte(' ')
	for _, key := range slices.Sorted(maps.Keys(m.Fields)) {
		if err := checkName("fields", key); err != nil {
			return nil, err
		}
		lines = append(append(lines, separator), keyEscapes.Replace(key)+"="...)
		var err error
		if lines, err = appendValue(lines, m.Fields[key]); err != nil {
			return nil, fmt.Errorf("fields: %q: %w", key, err)
		}
		separator = ','
	}
	if year := m.Time.Year(); year < 1678 || year > 2261 {
		return nil, fmt.Errorf("time: the year %d is not between 1678 and 2261, as nanoseconds of 64 bits require", year)
	}
	lines = append(lines, ' ')
	lines = strconv.AppendInt(lines, m.Time.UnixNano(), 10)
	return append(lines, '\n'), nil
}

// A line break ends a line even where it is escaped, so it becomes "\n" as the clients of
// InfluxDB have it. In strings it would end a line for VictoriaMetrics, and what follows it
// would be a point of the text's choice, with tags of another runtime.
var (
	nameEscapes   = strings.NewReplacer(",", `\,`, " ", `\ `, "\n", `\n`, "\r", `\r`)
	keyEscapes    = strings.NewReplacer(",", `\,`, " ", `\ `, "=", `\=`, "\n", `\n`, "\r", `\r`)
	stringEscapes = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)
)

func checkName(what, name string) error {
	if name == "" {
		return fmt.Errorf("%s: a name is empty", what)
	}
	if err := checkEscapes(name); err != nil {
		return fmt.Errorf("%s: %q: %w", what, name, err)
	}
	return nil
}

// checkEscapes refuses a backslash where the protocol would read it as that of an escape:
// outside of strings it has no escape for the backslash itself.
func checkEscapes(text string) error {
	for i := range len(text) {
		if text[i] == '\\' && (i+1 == len(text) || strings.IndexByte(`, =`, text[i+1]) >= 0) {
			return fmt.Errorf("the line protocol cannot carry a backslash at the end, or before a comma, a space or an equals sign")
		}
	}
	return nil
}

func appendValue(lines []byte, value any) ([]byte, error) {
	switch value := value.(type) {
	case string:
		return append(append(append(lines, '"'), stringEscapes.Replace(value)...), '"'), nil
	case bool:
		return strconv.AppendBool(lines, value), nil
	case json.Number:
		if kindOf(value) == kindInteger {
			n, err := strconv.ParseInt(string(value), 10, 64)
			if err != nil {
				return nil, fmt.Errorf("%s is not an integer of 64 bits", value)
			}
			return append(strconv.AppendInt(lines, n, 10), 'i'), nil
		}
		f, err := value.Float64()
		if err != nil || math.IsInf(f, 0) {
			return nil, fmt.Errorf("%s is not a floating-point number of 64 bits", value)
		}
		return strconv.AppendFloat(lines, f, 'g', -1, 64), nil
	default:
		return nil, fmt.Errorf("it is not a number, a string or a boolean")
	}
}

// kindOf returns the kind that a value has in InfluxDB. A number is an integer if it is
// written as one.
func kindOf(value any) string {
	switch value := value.(type) {
	case string:
		return kindString
	case bool:
		return kindBoolean
	case json.Number:
		if !strings.ContainsAny(string(value), ".eE") {
			return kindInteger
		}
	}
	return kindFloat
}
