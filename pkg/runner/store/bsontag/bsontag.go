// Package bsontag gives the fields of documents their names in bson tags: nodes of the
// original wrote json tags for saving, and bson tags for what they found.
package bsontag

import (
	"encoding/json"
	"maps"
	"reflect"
	"strings"
)

// ForReading returns the JSON text of documents for res, a pointer to a slice, with the keys
// that the bson tags of its elements name under the names that encoding/json knows.
func ForReading(text json.RawMessage, res any) json.RawMessage {
	target := reflect.TypeOf(res)
	if target == nil || target.Kind() != reflect.Pointer {
		return text // decoding it reports that
	}
	return forType(text, target.Elem())
}

// Marshal returns data as encoding/json has it, with fields under the names in their bson tags
// where they have no json tag.
func Marshal(data any) (json.RawMessage, error) {
	text, err := json.Marshal(data)
	if err != nil {
		return nil, err
	}
	return forSaving(text, reflect.ValueOf(data)), nil
}

// forSaving returns text, which is v in JSON, with fields under the names in their bson
// tags where they have no json tag. The store itself gives documents their "_id".
func forSaving(text json.RawMessage, v reflect.Value) json.RawMessage {
	if !v.IsValid() || v.Type().Implements(marshaler) {
		return text
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		return forSaving(text, v.Elem())
	case reflect.Slice, reflect.Array:
		var elements []json.RawMessage
		if json.Unmarshal(text, &elements) != nil || len(elements) != v.Len() {
			return text
		}
		for i := range elements {
			elements[i] = forSaving(elements[i], v.Index(i))
		}
		return encoded(elements, text)
	case reflect.Struct:
		var object map[string]json.RawMessage
		if json.Unmarshal(text, &object) != nil {
			return text
		}
		named := maps.Clone(object)
		for i := range v.NumField() {
			nameforSaving(object, named, v.Type().Field(i), v.Field(i))
		}
		return encoded(named, text)
	}
	return text
}

// nameforSaving moves the value of field f from its JSON name in object to its name in
// named.
func nameforSaving(object, named map[string]json.RawMessage, f reflect.StructField, v reflect.Value) {
	name, bsonName := tagged(f, "json"), tagged(f, "bson")
	if name == "" {
		name = f.Name
	}
	value, ok := object[name]
	if !ok || !f.IsExported() {
		return
	}
	value = forSaving(value, v)
	if tagged(f, "json") == "" && bsonName != "" && bsonName != "-" && bsonName != "_id" {
		delete(named, name)
		name = bsonName
	}
	named[name] = value
}

var marshaler = reflect.TypeFor[json.Marshaler]()

// forType returns the JSON text of a value for type t with the keys that the
// bson tags of t name under the names that encoding/json knows.
func forType(text json.RawMessage, t reflect.Type) json.RawMessage {
	switch t.Kind() {
	case reflect.Pointer:
		return forType(text, t.Elem())
	case reflect.Slice, reflect.Array:
		var elements []json.RawMessage
		if json.Unmarshal(text, &elements) != nil {
			return text // not a list: decoding it reports that
		}
		for i := range elements {
			elements[i] = forType(elements[i], t.Elem())
		}
		return encoded(elements, text)
	case reflect.Struct:
		var object map[string]json.RawMessage
		if json.Unmarshal(text, &object) != nil || object == nil {
			return text
		}
		for i := range t.NumField() {
			rename(object, t.Field(i))
		}
		return encoded(object, text)
	}
	return text
}

// rename gives the value of field f its JSON name in object.
func rename(object map[string]json.RawMessage, f reflect.StructField) {
	jsonName, bsonName := tagged(f, "json"), tagged(f, "bson")
	if jsonName == "" {
		jsonName = f.Name
	}
	from := jsonName
	if _, ok := object[bsonName]; ok && bsonName != "" {
		from = bsonName
	}
	value, ok := object[from]
	if !ok || jsonName == "-" || !f.IsExported() {
		return
	}
	object[jsonName] = forType(value, f.Type)
}

// tagged returns the name in a tag of f, "" if there is none.
func tagged(f reflect.StructField, tag string) string {
	name, _, _ := strings.Cut(f.Tag.Get(tag), ",")
	return name
}

func encoded(value any, otherwise json.RawMessage) json.RawMessage {
	text, err := json.Marshal(value)
	if err != nil {
		return otherwise
	}
	return text
}
