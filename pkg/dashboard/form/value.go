// Package form turns a message of a contract into the fields of an HTML form, and what a browser
// sends of such a form into the JSON of the message. It is pure, and bounded: forms come from
// anywhere, and messages may be of any shape.
package form

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"net/url"
	"slices"
	"strconv"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/reflect/protoreflect"

	"krt.dev/kn-krt/pkg/schema"
)

// Bounds of a form: fields in all, elements of one list, and messages in messages.
const (
	MaxFields = 1000
	MaxItems  = 100
	MaxDepth  = 10
)

// value is what a field holds: a text, the fields of a message, or the elements of a list. An entry
// of a map is a message with the fields key and value.
type value struct {
	text   string
	fields map[string]*value // by name; nil for what is not a message
	items  []*value
}

// Form is a message that is being written.
type Form struct {
	message protoreflect.MessageDescriptor
	root    *value
}

// New returns a form with the values of m.
func New(m protoreflect.Message) *Form {
	return &Form{message: m.Descriptor(), root: ofMessage(m, 0)}
}

// Read returns the form that a browser has sent. What is beyond the bounds is dropped.
func Read(message protoreflect.MessageDescriptor, sent url.Values) *Form {
	r := reader{sent: sent, left: MaxFields}
	return &Form{message: message, root: r.message(message, "", 0)}
}

// ofMessage is what a message holds.
func ofMessage(m protoreflect.Message, depth int) *value {
	if isLeaf(m.Descriptor()) {
		return &value{text: leafText(m)}
	}
	v := &value{fields: map[string]*value{}}
	if depth >= MaxDepth {
		return v
	}
	m.Range(func(f protoreflect.FieldDescriptor, of protoreflect.Value) bool {
		v.fields[string(f.Name())] = ofField(f, of, depth)
		return true
	})
	return v
}

func ofField(f protoreflect.FieldDescriptor, of protoreflect.Value, depth int) *value {
	v := &value{}
	switch {
	case f.IsMap():
		of.Map().Range(func(key protoreflect.MapKey, one protoreflect.Value) bool {
			v.items = append(v.items, &value{fields: map[string]*value{
				"key": {text: key.String()}, "value": ofOne(f.MapValue(), one, depth),
			}})
			return len(v.items) < MaxItems
		})
		slices.SortFunc(v.items, func(a, b *value) int { return cmp.Compare(a.fields["key"].text, b.fields["key"].text) })
	case f.IsList():
		for i := range min(of.List().Len(), MaxItems) {
			v.items = append(v.items, ofOne(f, of.List().Get(i), depth))
		}
	default:
		return ofOne(f, of, depth)
	}
	return v
}

// ofOne is a single value of a field, an element of its list or a value of its map.
func ofOne(f protoreflect.FieldDescriptor, of protoreflect.Value, depth int) *value {
	switch f.Kind() {
	case protoreflect.MessageKind, protoreflect.GroupKind:
		return ofMessage(of.Message(), depth+1)
	case protoreflect.EnumKind:
		if known := f.Enum().Values().ByNumber(of.Enum()); known != nil {
			return &value{text: string(known.Name())}
		}
		return &value{text: strconv.Itoa(int(of.Enum()))}
	case protoreflect.BytesKind:
		return &value{text: base64.StdEncoding.EncodeToString(of.Bytes())}
	case protoreflect.FloatKind:
		return &value{text: strconv.FormatFloat(of.Float(), 'g', -1, 32)}
	case protoreflect.DoubleKind:
		return &value{text: strconv.FormatFloat(of.Float(), 'g', -1, 64)}
	}
	return &value{text: of.String()}
}

// isLeaf reports whether JSON writes the message as one value.
func isLeaf(m protoreflect.MessageDescriptor) bool { return schema.OwnJSON(m.FullName()) }

// isText reports whether JSON writes the message as a string.
func isText(m protoreflect.MessageDescriptor) bool {
	return slices.Contains([]protoreflect.FullName{
		"google.protobuf.Timestamp", "google.protobuf.Duration", "google.protobuf.FieldMask",
		"google.protobuf.StringValue", "google.protobuf.BytesValue",
	}, m.FullName())
}

// leafText is the JSON of a leaf, without the quotes of a string.
func leafText(m protoreflect.Message) string {
	raw, err := protojson.Marshal(m.Interface())
	if err != nil {
		return "" // such as an Any of a type that the contract does not have
	}
	var text string
	if json.Unmarshal(raw, &text) == nil && isText(m.Descriptor()) {
		return text
	}
	return string(raw)
}
