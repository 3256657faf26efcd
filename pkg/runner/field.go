package runner

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"time"
)

// fieldValues returns the fields of a measurement as a store keeps them: numbers,
// strings and booleans. It is an error if none is left.
func fieldValues(fields map[string]any) (map[string]any, error) {
	kept := make(map[string]any, len(fields))
	var without []string
	for name, value := range fields {
		if v := fieldValue(value); v != nil {
			kept[name] = v
		} else {
			without = append(without, fmt.Sprintf("%q", name))
		}
	}
	switch {
	case len(kept) > 0:
		return kept, nil
	case len(fields) == 0:
		return nil, errors.New("it has no fields")
	}
	slices.Sort(without)
	return nil, fmt.Errorf("none of its fields has a value: %s is nil or not a number", strings.Join(without, ", "))
}

// fieldValue returns value, or what it points to, as a number, string or boolean;
// nil if it has no value. Anything else becomes a string, as in the original's
// InfluxDB client.
func fieldValue(value any) any {
	if p := reflect.ValueOf(value); p.Kind() == reflect.Pointer {
		if p.IsNil() {
			return nil
		}
		value = p.Elem().Interface()
	}
	switch v := value.(type) {
	case nil:
		return nil
	case time.Time:
		return v.Format(time.RFC3339Nano)
	case []byte:
		return string(v)
	case fmt.Stringer, error:
		return fmt.Sprint(v)
	}
	return basicValue(value)
}

// basicValue is fieldValue for the basic types of Go, and types defined from them.
func basicValue(value any) any {
	switch v := reflect.ValueOf(value); {
	case v.CanFloat():
		if f := v.Float(); !math.IsNaN(f) && !math.IsInf(f, 0) {
			return f
		}
		return nil
	case v.CanInt():
		return v.Int()
	case v.CanUint():
		return v.Uint()
	case v.Kind() == reflect.Bool:
		return v.Bool()
	}
	return fmt.Sprint(value)
}
