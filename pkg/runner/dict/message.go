package dict

import (
	"cmp"
	"encoding/base64"
	"slices"
	"strconv"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// appendMessage appends m as JSON as the original's entrypoint did: fields by
// their own names in the order of their numbers, int64 as a number, an enum as its
// number, bytes in base64. Fields that have a default are always there; a message,
// a oneof and an optional field only if set.
func appendMessage(b []byte, m protoreflect.Message) []byte {
	b = append(b, '{')
	for _, f := range byNumber(m.Descriptor()) {
		if f.HasPresence() && !m.Has(f) {
			continue
		}
		b = append(appendText(separate(b), string(f.Name())), ':')
		switch value := m.Get(f); {
		case f.IsMap():
			b = appendMap(b, f, value.Map())
		case f.IsList():
			b = append(b, '[')
			for i := range value.List().Len() {
				b = appendScalar(separate(b), f, value.List().Get(i))
			}
			b = append(b, ']')
		default:
			b = appendScalar(b, f, value)
		}
	}
	return append(b, '}')
}

func byNumber(d protoreflect.MessageDescriptor) []protoreflect.FieldDescriptor {
	all := make([]protoreflect.FieldDescriptor, d.Fields().Len())
	for i := range all {
		all[i] = d.Fields().Get(i)
	}
	slices.SortFunc(all, func(a, b protoreflect.FieldDescriptor) int { return cmp.Compare(a.Number(), b.Number()) })
	return all
}

// appendMap appends a map, its keys sorted as texts.
func appendMap(b []byte, f protoreflect.FieldDescriptor, m protoreflect.Map) []byte {
	values := make(map[string]protoreflect.Value, m.Len())
	keys := make([]string, 0, m.Len())
	m.Range(func(k protoreflect.MapKey, v protoreflect.Value) bool {
		keys = append(keys, k.String())
		values[k.String()] = v
		return true
	})
	slices.Sort(keys)
	b = append(b, '{')
	for _, key := range keys {
		b = append(appendText(separate(b), key), ':')
		b = appendScalar(b, f.MapValue(), values[key])
	}
	return append(b, '}')
}

// appendScalar appends one value of a field's kind.
func appendScalar(b []byte, f protoreflect.FieldDescriptor, v protoreflect.Value) []byte {
	switch f.Kind() {
	case protoreflect.BoolKind:
		return strconv.AppendBool(b, v.Bool())
	case protoreflect.EnumKind:
		return strconv.AppendInt(b, int64(v.Enum()), 10)
	case protoreflect.FloatKind, protoreflect.DoubleKind:
		return appendDouble(b, v.Float(), true)
	case protoreflect.StringKind:
		return appendText(b, v.String())
	case protoreflect.BytesKind:
		return appendText(b, base64.StdEncoding.EncodeToString(v.Bytes()))
	case protoreflect.MessageKind, protoreflect.GroupKind:
		return appendMessage(b, v.Message())
	case protoreflect.Uint32Kind, protoreflect.Uint64Kind, protoreflect.Fixed32Kind, protoreflect.Fixed64Kind:
		return strconv.AppendUint(b, v.Uint(), 10)
	default:
		return strconv.AppendInt(b, v.Int(), 10)
	}
}
