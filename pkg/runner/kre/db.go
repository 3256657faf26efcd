package kre

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"strings"

	"krt.dev/kn-krt/pkg/runner"
)

// DB saves and finds the documents of the version. As with the original, a field is
// saved by the name in its json tag and found by that in its bson tag; one that has a
// bson tag only is saved by it too.
type DB struct{ *runner.DB }

// Save saves data as a document of the collection coll. See [runner.DB.Save].
func (d *DB) Save(coll string, data any) error {
	text, err := json.Marshal(data)
	if err != nil {
		return fmt.Errorf("cannot save in the collection %q: %w", coll, err)
	}
	return d.DB.Save(coll, byBSONNames(text, reflect.ValueOf(data)))
}

// byBSONNames returns text, which is v in JSON, with fields under the names in their bson
// tags where they have no json tag. The store itself gives documents their "_id".
func byBSONNames(text json.RawMessage, v reflect.Value) json.RawMessage {
	if !v.IsValid() || v.Type().Implements(marshaler) {
		return text
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		return byBSONNames(text, v.Elem())
	case reflect.Slice, reflect.Array:
		var elements []json.RawMessage
		if json.Unmarshal(text, &elements) != nil || len(elements) != v.Len() {
			return text
		}
		for i := range elements {
			elements[i] = byBSONNames(elements[i], v.Index(i))
		}
		return encoded(elements, text)
	case reflect.Struct:
		var object map[string]json.RawMessage
		if json.Unmarshal(text, &object) != nil {
			return text
		}
		named := maps.Clone(object)
		for i := range v.NumField() {
			nameForSaving(object, named, v.Type().Field(i), v.Field(i))
		}
		return encoded(named, text)
	}
	return text
}

// nameForSaving moves the value of field f from its JSON name in object to its name in
// named.
func nameForSaving(object, named map[string]json.RawMessage, f reflect.StructField, v reflect.Value) {
	name, bsonName := tagged(f, "json"), tagged(f, "bson")
	if name == "" {
		name = f.Name
	}
	value, ok := object[name]
	if !ok || !f.IsExported() {
		return
	}
	value = byBSONNames(value, v)
	if tagged(f, "json") == "" && bsonName != "" && bsonName != "-" && bsonName != "_id" {
		delete(named, name)
		name = bsonName
	}
	named[name] = value
}

var marshaler = reflect.TypeFor[json.Marshaler]()

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
			return text // not a list: decoding it reports that
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
