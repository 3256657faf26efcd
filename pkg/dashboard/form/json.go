package form

import (
	"bytes"
	"encoding/json"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// JSON is the message as JSON, in the order of its fields. A field that is empty is left out, unless
// it is an element of a list or chosen in a oneof. What was typed is not checked: numbers are
// written as strings, which JSON of protobuf allows.
func (f *Form) JSON() []byte {
	var b bytes.Buffer
	writeMessage(&b, f.message, f.root)
	return b.Bytes()
}

func writeMessage(b *bytes.Buffer, m protoreflect.MessageDescriptor, v *value) {
	if isLeaf(m) {
		writeLeaf(b, m, v.text)
		return
	}
	b.WriteByte('{')
	first := true
	for i := range m.Fields().Len() {
		f := m.Fields().Get(i)
		one := v.fields[string(f.Name())]
		if one == nil || isEmpty(f, one) {
			continue
		}
		if !first {
			b.WriteByte(',')
		}
		first = false
		writeText(b, f.JSONName())
		b.WriteByte(':')
		writeField(b, f, one)
	}
	b.WriteByte('}')
}

// isEmpty reports whether the field is left out.
func isEmpty(f protoreflect.FieldDescriptor, v *value) bool {
	if f.IsList() || f.IsMap() {
		return len(v.items) == 0
	}
	return v.fields == nil && v.text == "" && (oneofOf(f) == nil || f.Kind() != protoreflect.StringKind)
}

func writeField(b *bytes.Buffer, f protoreflect.FieldDescriptor, v *value) {
	switch {
	case f.IsMap():
		b.WriteByte('{')
		for i, entry := range v.items {
			if i > 0 {
				b.WriteByte(',')
			}
			writeText(b, entry.fields["key"].text)
			b.WriteByte(':')
			writeOne(b, f.MapValue(), entry.fields["value"])
		}
		b.WriteByte('}')
	case f.IsList():
		b.WriteByte('[')
		for i, one := range v.items {
			if i > 0 {
				b.WriteByte(',')
			}
			writeOne(b, f, one)
		}
		b.WriteByte(']')
	default:
		writeOne(b, f, v)
	}
}

func writeOne(b *bytes.Buffer, f protoreflect.FieldDescriptor, v *value) {
	switch {
	case f.Message() != nil:
		writeMessage(b, f.Message(), v)
	case f.Kind() == protoreflect.BoolKind:
		if v.text == "true" {
			b.WriteString("true")
		} else {
			b.WriteString("false")
		}
	default:
		writeText(b, v.text)
	}
}

// writeLeaf writes a well-known type: those that are strings quoted, others as they were typed.
func writeLeaf(b *bytes.Buffer, m protoreflect.MessageDescriptor, text string) {
	if !isText(m) && json.Valid([]byte(text)) {
		b.WriteString(text)
		return
	}
	writeText(b, text)
}

func writeText(b *bytes.Buffer, text string) {
	quoted, err := json.Marshal(text)
	if err != nil {
		return // impossible: it is a string
	}
	b.Write(quoted)
}
