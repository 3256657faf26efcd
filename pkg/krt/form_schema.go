package krt

import (
	"bytes"
	"encoding/json"
	"regexp"
)

// The dialect of the schema is draft-07, because the YAML servers of editors (yaml-language-server, JetBrains)
// know that one completely, and newer ones in part.
const schemaDialect = "http://json-schema.org/draft-07/schema#"

// SchemaID names the JSON Schema. Nothing is fetched from there.
const SchemaID = "https://krt.dev/kn-krt/krt.schema.json"

// JSONSchema returns the JSON Schema of a manifest, made of [Form], as indented JSON with a line break at
// its end.
//
// It refuses what [Parse] refuses, except for rules that a schema cannot express: references between
// fields, uniqueness of names, bounds of durations. It refuses unknown keys, of which Parse warns.
func JSONSchema() ([]byte, error) {
	root := schemaOf(Form(), false)
	root.Schema, root.ID, root.Title = schemaDialect, SchemaID, "krt.yml, the manifest of a KRT V1 version"
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	err := enc.Encode(root)
	return text.Bytes(), err
}

// jsonSchema is a JSON Schema, with the keywords that are used here in the order in which they are written.
type jsonSchema struct {
	Schema      string     `json:"$schema,omitempty"`
	ID          string     `json:"$id,omitempty"`
	Title       string     `json:"title,omitempty"`
	Description string     `json:"description,omitempty"`
	Type        any        `json:"type,omitempty"` // a name, or a list of names
	Required    []string   `json:"required,omitempty"`
	Properties  properties `json:"properties,omitempty"`
	// Names and Values are the rules for keys that are not in Properties; Values can be false.
	Names   *jsonSchema `json:"propertyNames,omitempty"`
	Values  any         `json:"additionalProperties,omitempty"`
	MaxKeys int         `json:"maxProperties,omitempty"`

	Items    *jsonSchema `json:"items,omitempty"`
	MinItems int         `json:"minItems,omitempty"`
	MaxItems int         `json:"maxItems,omitempty"`
	Unique   bool        `json:"uniqueItems,omitempty"`

	Enum      []any       `json:"enum,omitempty"`
	Minimum   *int        `json:"minimum,omitempty"`
	Maximum   *int        `json:"maximum,omitempty"`
	MinLength int         `json:"minLength,omitempty"`
	MaxLength int         `json:"maxLength,omitempty"`
	Pattern   string      `json:"pattern,omitempty"`
	Not       *jsonSchema `json:"not,omitempty"`
	// The texts that editors show instead of "does not match the pattern …".
	PatternError string `json:"patternErrorMessage,omitempty"`
	Error        string `json:"errorMessage,omitempty"`

	AnyOf []*jsonSchema `json:"anyOf,omitempty"`
	AllOf []*jsonSchema `json:"allOf,omitempty"`
	If    *jsonSchema   `json:"if,omitempty"`
	Then  *jsonSchema   `json:"then,omitempty"`

	Default  any   `json:"default,omitempty"`
	Examples []any `json:"examples,omitempty"`
}

// properties are schemas by key, in the order in which people write the keys.
type properties []property

type property struct {
	key   string
	value *jsonSchema
}

// MarshalJSON writes an object.
func (p properties) MarshalJSON() ([]byte, error) {
	text := bytes.NewBufferString("{")
	for i, one := range p {
		if i > 0 {
			text.WriteByte(',')
		}
		key, err := json.Marshal(one.key)
		if err != nil {
			return nil, err
		}
		value, err := plainJSON(one.value)
		if err != nil {
			return nil, err
		}
		text.Write(key)
		text.WriteByte(':')
		text.Write(value)
	}
	text.WriteByte('}')
	return text.Bytes(), nil
}

// plainJSON writes v without escapes for HTML.
func plainJSON(v any) ([]byte, error) {
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return bytes.TrimSpace(text.Bytes()), err
}

// schemaOf returns the schema of a value. A key of a map that may be missing may also have no value, which is
// null.
func schemaOf(f *Field, null bool) *jsonSchema {
	s := &jsonSchema{}
	types := s.value(f)
	if null {
		types = append(types, "null")
	}
	if f.Or != nil {
		s = &jsonSchema{AnyOf: []*jsonSchema{s, schemaOf(f.Or, false)}}
		s.AnyOf[0].typed(types)
	} else {
		s.typed(types)
	}
	s.describe(f, types)
	return s
}

// typed sets the types of a value.
func (s *jsonSchema) typed(types []string) {
	if s.Type = any(types); len(types) == 1 {
		s.Type = types[0]
	}
}

// value sets what a value of f may be, and returns its types.
func (s *jsonSchema) value(f *Field) []string {
	switch f.Kind {
	case FieldMap:
		s.mapOf(f)
		return []string{"object"}
	case FieldNames:
		s.Names, s.Values, s.MaxKeys = schemaOf(f.Names, false), schemaOf(f.Element, true), f.High
		s.Names.Description, s.Names.Examples = "", nil // editors do not read them there
		return []string{"object"}
	case FieldList:
		s.Items, s.MinItems, s.MaxItems, s.Unique = schemaOf(f.Element, false), f.Low, f.High, f.Unique
		return []string{"array"}
	case FieldBoolean:
		s.Pattern = yesOrNo
		s.PatternError = "must be true or false"
		return []string{"boolean", "string"}
	case FieldInteger:
		s.Minimum, s.Maximum = &f.Low, &f.High
		return []string{"integer"}
	case FieldBytes:
		s.Minimum, s.Maximum, s.Pattern = &f.Low, &f.High, bytesPattern
		s.PatternError = "must be a number of bytes from 1Ki to 1Mi, such as 64Ki"
		return []string{"integer", "string"}
	case FieldDuration:
		s.Pattern, s.PatternError = durationForm, `must be a duration such as "30s" or "2m"`
		return []string{"string"}
	case FieldScalar:
		s.MaxLength = f.High
		return []string{"string", "number", "boolean"}
	default:
		return s.text(f)
	}
}

// yesOrNo is what YAML 1.1 takes for true or false and YAML 1.2, as editors read it, for text; as a
// pattern, it is no suggestion.
const yesOrNo = `^([Yy][Ee][Ss]|[Oo][Nn]|[Nn][Oo]|[Oo][Ff][Ff])$`

// bytesPattern matches 1Ki to 1024Ki, 1Mi, and numbers of bytes in quotes, of which it checks the length.
const bytesPattern = `^0*([1-9][0-9]{0,2}Ki|10[01][0-9]Ki|102[0-4]Ki|1Mi|[1-9][0-9]{3,6})$`

// text sets what a text may be.
func (s *jsonSchema) text(f *Field) (types []string) {
	if f.Values != nil {
		for _, value := range f.Values {
			s.Enum = append(s.Enum, value)
		}
		if !f.Required {
			s.Enum = append(s.Enum, nil)
		}
		return []string{"string"}
	}
	s.MaxLength = f.High
	if f.Pattern != "" {
		s.Pattern, s.PatternError = f.Pattern, f.Rule
	} else if f.Required {
		s.MinLength = 1
	}
	if f.Refused != "" {
		s.Not, s.Error = &jsonSchema{Type: "string", Pattern: f.Refused}, f.Rule
	}
	types = append([]string{"string"}, unquoted(f.Pattern)...)
	if len(types) > 1 && f.Pattern != "" {
		s.Minimum = new(int) // no pattern here matches a negative number
	}
	return types
}

// unquoted are the types that a text of that form has for YAML when it is without quotes: 1.10 is a
// number there, true and True are the same boolean, and all are texts in the manifest.
func unquoted(form string) []string {
	switch pattern := regexp.MustCompile(form); {
	case pattern.MatchString("1.5") && pattern.MatchString("True"):
		return []string{"number", "boolean"}
	case pattern.MatchString("1.5"):
		return []string{"number"}
	case pattern.MatchString("7"):
		return []string{"integer"}
	}
	return nil
}

// mapOf sets what a map with known keys has.
func (s *jsonSchema) mapOf(f *Field) {
	s.Values = false
	for i := range f.Fields {
		one := &f.Fields[i]
		s.Properties = append(s.Properties, property{one.Key, schemaOf(one, !one.Required)})
		if one.Required {
			s.Required = append(s.Required, one.Key)
		}
		if c := one.RequiredIf; c != nil {
			s.AllOf = append(s.AllOf, &jsonSchema{
				If: &jsonSchema{Required: []string{c.Key}, Properties: properties{{c.Key, &jsonSchema{Type: "string", Pattern: c.Pattern}}}},
				Then: &jsonSchema{Required: []string{one.Key},
					Properties: properties{{one.Key, &jsonSchema{Type: []string{"string", "number"}, MinLength: 1}}}},
			})
		}
	}
}

// describe adds what people read.
func (s *jsonSchema) describe(f *Field, types []string) {
	s.Description = f.Doc
	if f.Doc != "" && f.ClusterOnly {
		s.Description += " On a cluster only."
	}
	s.Default = exampleOf(f.Default, types)
	for _, text := range f.Examples {
		s.Examples = append(s.Examples, exampleOf(text, types))
	}
}

// exampleOf is the JSON of a value that the manifest would have as text; nil for none.
func exampleOf(text string, types []string) any {
	if text == "" {
		return nil
	}
	var value any
	if types[0] == "string" || json.Unmarshal([]byte(text), &value) != nil {
		return text
	}
	return value
}
