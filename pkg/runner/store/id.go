package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// CheckID returns why id, a decoded JSON value, cannot be the [KeyID] of a document: some database
// could not tell it from another one. Numbers are json.Number or float64.
func CheckID(id any) error {
	if _, isList := id.([]any); isList {
		return errors.New("data: an _id cannot be an array")
	}
	if n, is := largeNumber(id); is {
		return fmt.Errorf("data: the _id has the number %.40s, which is beyond 64 bits: save it as a text", n)
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
