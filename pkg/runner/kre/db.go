package kre

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"

	"krt.dev/kn-krt/pkg/runner"
)

// DB saves and finds the documents of the version, as the original did: a document
// is saved by the json tags of its fields, and found by their bson tags.
type DB struct{ *runner.DB }

// Find reads the documents of the collection coll that match query into res, a
// pointer to a slice of structs or maps. See [runner.DB.Find] for queries. A field
// of a struct goes by the name in its bson tag, else as encoding/json has it.
func (d *DB) Find(coll string, query QueryData, res any) error {
	target := reflect.TypeOf(res)
	if target == nil || target.Kind() != reflect.Pointer || target.Elem().Kind() != reflect.Slice {
		return d.DB.Find(coll, query, res)
	}
	var documents []json.RawMessage
	if err := d.DB.Find(coll, query, &documents); err != nil {
		return err
	}
	for i, document := range documents {
		documents[i] = byJSONNames(document, target.Elem().Elem())
	}
	text, err := json.Marshal(documents)
	if err == nil {
		err = json.Unmarshal(text, res)
	}
	if err != nil {
		return fmt.Errorf("cannot find in the collection %q: %w", coll, err)
	}
	return nil
}

// byJSONNames returns the JSON text of a value for type t with the keys that the
// bson tags of t name under the names that encoding/json knows.
func byJSONNames(text json.RawMessage, t reflect.Type) json.RawMessage {
	switch t.Kind() {
	case reflect.Pointer:
		return byJSONNames(text, t.Elem())
	case reflect.Slice, reflect.Array:
		var elements []json.RawMessage
		if json.Unmarshal(text, &elements) != nil {
			return text // not a list: left to who decodes it
		}
		for i := range elements {
			elements[i] = byJSONNames(elements[i], t.Elem())
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
	object[jsonName] = byJSONNames(value, f.Type)
}

// tagged is the name that a tag of f gives it, "" for none.
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
