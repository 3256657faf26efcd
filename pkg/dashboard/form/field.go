package form

import (
	"slices"
	"strconv"

	"google.golang.org/protobuf/reflect/protoreflect"

	"krt.dev/kn-krt/pkg/schema/fieldpath"
)

// Kind is how a field is shown.
type Kind string

// Kinds of fields.
const (
	Text    Kind = "text"    // one line
	Number  Kind = "number"  // a number of any size, as text
	Flag    Kind = "flag"    // a check box
	Choice  Kind = "choice"  // one of Choices
	JSON    Kind = "json"    // JSON of any shape
	Message Kind = "message" // Fields, if it is Present
	List    Kind = "list"    // its elements are Fields
	Oneof   Kind = "oneof"   // one of Choices, which is Fields
)

// Field is a field of the form, to be shown.
type Field struct {
	// Path is the field's, "rooms.0.name"; Input is the name of its input.
	Path, Input string
	// Label is the field's JSON name, or the number of an element; Type is for people.
	Label, Type string
	Kind        Kind
	Value       string
	Choices     []string
	Fields      []Field
	// Present is false for a message that is not set. Removable is true for what a button can remove.
	Present, Removable bool
	// Full says that the list cannot have more elements here.
	Full bool
}

// Fields returns the fields of the form in the order of the contract. cut says that there are more
// than the bounds allow.
func (f *Form) Fields() (fields []Field, cut bool) {
	s := shower{left: MaxFields}
	if isLeaf(f.message) {
		return []Field{s.leaf(f.message, Field{Input: inputValue, Label: "value"}, f.root)}, false
	}
	return s.message(f.message, f.root, "", 0), s.cut
}

// shower makes fields, at most so many.
type shower struct {
	left int
	cut  bool
}

func (s *shower) message(m protoreflect.MessageDescriptor, v *value, path string, depth int) (fields []Field) {
	if depth >= MaxDepth {
		s.cut = s.cut || m.Fields().Len() > 0
		return nil
	}
	for i := range m.Fields().Len() {
		if s.left--; s.left < 0 {
			s.cut = true
			return fields
		}
		f := m.Fields().Get(i)
		one := v.fields[string(f.Name())]
		switch o := oneofOf(f); {
		case o == nil:
			fields = append(fields, s.field(f, one, join(path, string(f.Name())), depth))
		case o.Fields().Get(0) == f:
			fields = append(fields, s.oneof(o, v, path, depth))
		}
	}
	return fields
}

// oneof is a choice of one of several fields.
func (s *shower) oneof(o protoreflect.OneofDescriptor, v *value, path string, depth int) Field {
	at := join(path, string(o.Name()))
	shown := Field{Path: at, Input: inputOneof + at, Label: string(o.Name()), Type: "one of", Kind: Oneof, Choices: []string{""}}
	for i := range o.Fields().Len() {
		f := o.Fields().Get(i)
		name := string(f.Name())
		shown.Choices = append(shown.Choices, name)
		if one := v.fields[name]; one != nil {
			shown.Value = name
			field := s.field(f, one, join(path, name), depth)
			field.Removable = false
			shown.Fields = []Field{field}
		}
	}
	return shown
}

func (s *shower) field(f protoreflect.FieldDescriptor, v *value, path string, depth int) Field {
	if !f.IsList() && !f.IsMap() {
		shown := s.one(f, v, Field{Path: path, Label: f.JSONName()}, depth)
		shown.Removable = shown.Kind == Message
		return shown
	}
	shown := Field{Path: path, Input: inputCount + path, Label: f.JSONName(), Kind: List, Type: "list of " + typeOf(f)}
	if f.IsMap() {
		shown.Type = "map of " + typeOf(f.MapKey()) + " to " + typeOf(f.MapValue())
	}
	if v == nil {
		return shown
	}
	for i, item := range v.items {
		if s.left--; s.left < 0 {
			s.cut = true
			break
		}
		at := join(path, strconv.Itoa(i))
		element := Field{Path: at, Label: strconv.Itoa(i + 1)}
		if f.IsMap() {
			element.Kind, element.Present = Message, true
			element.Fields = []Field{
				s.one(f.MapKey(), item.fields["key"], Field{Path: join(at, "key"), Label: "key"}, depth),
				s.one(f.MapValue(), item.fields["value"], Field{Path: join(at, "value"), Label: "value"}, depth),
			}
		} else {
			element = s.one(f, item, element, depth)
		}
		element.Removable = true
		shown.Fields = append(shown.Fields, element)
	}
	shown.Value, shown.Full = strconv.Itoa(len(shown.Fields)), len(shown.Fields) >= MaxItems
	return shown
}

// one completes the field of a single value.
func (s *shower) one(f protoreflect.FieldDescriptor, v *value, shown Field, depth int) Field {
	shown.Type = typeOf(f)
	if isMessage(f) {
		shown.Kind, shown.Input = Message, inputPresent+shown.Path
		if shown.Present = v != nil && v.fields != nil; shown.Present {
			shown.Fields = s.message(f.Message(), v, shown.Path, depth+1)
		}
		return shown
	}
	shown.Input = inputValue + shown.Path
	if f.Message() != nil {
		return s.leaf(f.Message(), shown, v)
	}
	if v != nil {
		shown.Value = v.text
	}
	switch f.Kind() {
	case protoreflect.BoolKind:
		shown.Kind = Flag
		if f.HasPresence() {
			shown.Kind, shown.Choices = Choice, []string{"", "true", "false"}
		}
	case protoreflect.EnumKind:
		shown.Kind, shown.Choices = Choice, []string{""}
		for i := range f.Enum().Values().Len() {
			shown.Choices = append(shown.Choices, string(f.Enum().Values().Get(i).Name()))
		}
		if !slices.Contains(shown.Choices, shown.Value) { // a number that has no name
			shown.Choices = append(shown.Choices, shown.Value)
		}
	case protoreflect.StringKind, protoreflect.BytesKind:
		shown.Kind = Text
	default:
		shown.Kind = Number
	}
	return shown
}

// leaf completes the field of a well-known type.
func (s *shower) leaf(m protoreflect.MessageDescriptor, shown Field, v *value) Field {
	shown.Type, shown.Kind = string(m.Name()), Text
	if v != nil {
		shown.Value = v.text
	}
	switch {
	case fieldpath.Dynamic(m.FullName()):
		shown.Kind = JSON
	case m.Name() == "Timestamp":
		shown.Type += ", such as 2026-01-31T12:00:00Z"
	case m.Name() == "Duration":
		shown.Type += ", such as 1.5s"
	}
	return shown
}

// typeOf is the type of a field's single value, for people.
func typeOf(f protoreflect.FieldDescriptor) string {
	switch {
	case f.Message() != nil:
		return string(f.Message().Name())
	case f.Enum() != nil:
		return string(f.Enum().Name())
	case f.Kind() == protoreflect.BytesKind:
		return "bytes, as base64"
	}
	return f.Kind().String()
}
