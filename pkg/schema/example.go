package schema

import (
	"encoding/json"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"
)

const (
	// exampleDepth is how deep an example goes into messages in messages.
	exampleDepth = 3
	// maxExample is after how many bytes an example has no more fields: a message that has
	// itself in 400 fields would have 64 million otherwise.
	maxExample = 16 << 10
)

// Example returns a JSON request for m, in one line, with a value in each field up to 16 KiB:
// something to change, not something that makes sense.
func Example(m protoreflect.MessageDescriptor) string {
	var b strings.Builder
	exampleMessage(&b, m, exampleDepth)
	return b.String()
}

func exampleMessage(b *strings.Builder, m protoreflect.MessageDescriptor, depth int) {
	if text, ok := wellKnownExample(m.FullName()); ok {
		b.WriteString(text)
		return
	}
	b.WriteByte('{')
	first := true
	for i := range m.Fields().Len() {
		field := m.Fields().Get(i)
		if skipped(field, depth) {
			continue
		}
		if b.Len() >= maxExample {
			break
		}
		if !first {
			b.WriteString(", ")
		}
		first = false
		b.WriteString(quote(field.JSONName()) + ": ")
		exampleField(b, field, depth)
	}
	b.WriteByte('}')
}

// skipped reports whether an example leaves the field out: it has no value to offer,
// is too deep, or another field of its oneof is there.
func skipped(field protoreflect.FieldDescriptor, depth int) bool {
	oneof := field.ContainingOneof()
	if oneof != nil && !oneof.IsSynthetic() && oneof.Fields().Get(0) != field {
		return true
	}
	message := field.Message()
	if field.IsMap() {
		message = field.MapValue().Message()
	}
	return message != nil && (message.FullName() == "google.protobuf.Any" || depth == 0)
}

func exampleField(b *strings.Builder, field protoreflect.FieldDescriptor, depth int) {
	switch {
	case field.IsMap():
		key := scalar(field.MapKey())
		if !strings.HasPrefix(key, `"`) {
			key = quote(key)
		}
		b.WriteString("{" + key + ": ")
		exampleValue(b, field.MapValue(), depth)
		b.WriteByte('}')
	case field.IsList():
		b.WriteByte('[')
		exampleValue(b, field, depth)
		b.WriteByte(']')
	default:
		exampleValue(b, field, depth)
	}
}

func exampleValue(b *strings.Builder, field protoreflect.FieldDescriptor, depth int) {
	if field.Message() != nil {
		exampleMessage(b, field.Message(), depth-1)
		return
	}
	b.WriteString(scalar(field))
}

// scalar returns an example of the field's kind in protobuf's JSON form.
func scalar(field protoreflect.FieldDescriptor) string {
	switch field.Kind() {
	case protoreflect.BoolKind:
		return "true"
	case protoreflect.StringKind:
		return `"text"`
	case protoreflect.BytesKind:
		return `"Ynl0ZXM="`
	case protoreflect.FloatKind, protoreflect.DoubleKind:
		return "1.5"
	case protoreflect.EnumKind:
		values := field.Enum().Values()
		// The first one usually means "unspecified".
		return quote(string(values.Get(min(1, values.Len()-1)).Name()))
	default:
		return "1"
	}
}

// OwnJSON reports whether messages of that full name have a JSON form of their own, which is no
// object of their fields: most of the well-known types.
func OwnJSON(name protoreflect.FullName) bool {
	_, own := wellKnownExample(name)
	return own
}

// wellKnownExample returns an example of a message that has a JSON form of its own.
func wellKnownExample(name protoreflect.FullName) (text string, ok bool) {
	text, ok = map[protoreflect.FullName]string{
		"google.protobuf.Timestamp":   `"2030-01-02T03:04:05Z"`,
		"google.protobuf.Duration":    `"1.5s"`,
		"google.protobuf.FieldMask":   `"field"`,
		"google.protobuf.Struct":      `{"key": "text"}`,
		"google.protobuf.Value":       `"text"`,
		"google.protobuf.ListValue":   `["text"]`,
		"google.protobuf.Any":         `{}`,
		"google.protobuf.StringValue": `"text"`,
		"google.protobuf.BytesValue":  `"Ynl0ZXM="`,
		"google.protobuf.BoolValue":   "true",
		"google.protobuf.DoubleValue": "1.5",
		"google.protobuf.FloatValue":  "1.5",
		"google.protobuf.Int32Value":  "1",
		"google.protobuf.UInt32Value": "1",
		"google.protobuf.Int64Value":  "1",
		"google.protobuf.UInt64Value": "1",
	}[name]
	return text, ok
}

// quote returns s as a JSON string.
func quote(s string) string {
	text, _ := json.Marshal(s) // a string always can be
	return string(text)
}
