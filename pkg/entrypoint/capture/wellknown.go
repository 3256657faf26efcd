package capture

import (
	"encoding/base64"
	"strings"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"krt.dev/kn-krt/pkg/schema/fieldpath"
)

// dynamic writes a Struct, a Value or a ListValue.
func (w *writer) dynamic(m protoreflect.Message, at fieldpath.State, depth int) {
	d := m.Descriptor().Fields()
	switch m.Descriptor().FullName() {
	case "google.protobuf.Struct":
		f := d.ByName("fields")
		w.mapped(f, m.Get(f).Map(), at, depth)
	case "google.protobuf.ListValue":
		f := d.ByName("values")
		w.list(f, m.Get(f).List(), at, depth)
	default:
		kind := m.WhichOneof(m.Descriptor().Oneofs().ByName("kind"))
		if kind == nil || kind.Kind() == protoreflect.EnumKind {
			w.raw("null")
			return
		}
		w.value(kind, m.Get(kind), at, depth)
	}
}

// any writes an Any with the message in it. If its type is not known, nothing tells
// whether there is something in it that must not be kept.
func (w *writer) any(m protoreflect.Message, at fieldpath.State, depth int) {
	fields := m.Descriptor().Fields()
	url, data := m.Get(fields.ByName("type_url")).String(), m.Get(fields.ByName("value")).Bytes()
	w.raw("{")
	defer w.raw("}")
	if url == "" || !w.key("@type") {
		return
	}
	w.long(url)
	name := protoreflect.FullName(url[strings.LastIndexByte(url, '/')+1:])
	inner, err := w.decode(name, data)
	switch {
	case err == nil && !fieldpath.Dynamic(name) && !wellKnown(name):
		w.fields(inner, at, depth+1)
	case !w.key("value"):
	case err == nil:
		w.message(inner, at, depth+1)
	case w.redacts:
		w.raw(redacted)
	default:
		w.long(base64.StdEncoding.EncodeToString(data))
	}
}

// wellKnown reports whether messages of that full name have a JSON form of their own, which
// is one value.
func wellKnown(name protoreflect.FullName) bool {
	if name.Parent() != "google.protobuf" {
		return false
	}
	switch name.Name() {
	case "Timestamp", "Duration", "FieldMask", "Empty", "DoubleValue", "FloatValue", "Int64Value", "UInt64Value",
		"Int32Value", "UInt32Value", "BoolValue", "StringValue", "BytesValue":
		return true
	}
	return false
}

// wellKnown writes such a message.
func (w *writer) wellKnown(m protoreflect.Message, at fieldpath.State) {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		if _, whole := w.paths.EnterField(at, fields.Get(i)); whole {
			w.raw(redacted)
			return
		}
	}
	if data, err := proto.Marshal(m.Interface()); err == nil && w.fits(len(data)) {
		if text, err := protojson.Marshal(m.Interface()); err == nil && w.fits(len(text)) {
			w.text = append(w.text, text...)
			return
		}
	}
	w.raw("null")
}
