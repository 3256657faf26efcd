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

// fieldValues returns what a store keeps of a measurement's fields: numbers,
// strings and booleans. It fails when nothing is left.
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
// nil for what has no value. What is neither becomes text, as the original's
// InfluxDB client had it.
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

// basicValue is fieldValue for a value of one of Go's basic types, named or not.
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
