package dict

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	"krt.dev/kn-krt/pkg/runner/clip"
)

// maxNames limits how many fields an error lists.
const maxNames = 12

// Message returns the data of a message of the type descriptor with the value of an
// event, whose message has the given name and data. Fields have their own names; null
// leaves one unset. The error names the field that cannot be set.
func Message(descriptor protoreflect.MessageDescriptor, name string, data []byte) ([]byte, error) {
	text, err := Decode(name, data, func(string) protoreflect.MessageDescriptor { return nil }, 0)
	if err != nil {
		return nil, err
	}
	decoder := json.NewDecoder(bytes.NewReader(plain(text)))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return nil, fmt.Errorf("the value is not JSON: %w", err)
	}
	m := dynamicpb.NewMessage(descriptor)
	if err := fill(m, value, ""); err != nil {
		return nil, err
	}
	return proto.Marshal(m)
}

// fill sets the fields of m from value; at is the path of m, empty at the top.
func fill(m protoreflect.Message, value any, at string) error {
	object, ok := value.(map[string]any)
	if !ok {
		return mismatch(at, value, "a dict with the fields of "+string(m.Descriptor().FullName()))
	}
	for _, name := range sorted(object) {
		f := m.Descriptor().Fields().ByName(protoreflect.Name(name))
		if f == nil {
			return fmt.Errorf("%s has no field %q%s: it has %s", m.Descriptor().FullName(), quotable(name), within(at), names(m.Descriptor()))
		}
		if object[name] == nil {
			continue
		}
		if err := set(m, f, object[name], path(at, name)); err != nil {
			return err
		}
	}
	return nil
}

func set(m protoreflect.Message, f protoreflect.FieldDescriptor, value any, at string) error {
	switch {
	case f.IsMap():
		return setMap(m.Mutable(f).Map(), f, value, at)
	case f.IsList():
		elements, ok := value.([]any)
		if !ok {
			return mismatch(at, value, "a list")
		}
		list := m.Mutable(f).List()
		for i, element := range elements {
			one, err := scalar(f, list.NewElement, element, fmt.Sprintf("%s[%d]", at, i))
			if err != nil {
				return err
			}
			list.Append(one)
		}
		return nil
	}
	one, err := scalar(f, func() protoreflect.Value { return m.NewField(f) }, value, at)
	if err == nil {
		m.Set(f, one)
	}
	return err
}

func setMap(m protoreflect.Map, f protoreflect.FieldDescriptor, value any, at string) error {
	object, ok := value.(map[string]any)
	if !ok {
		return mismatch(at, value, "a dict")
	}
	for _, name := range sorted(object) {
		// In JSON a key is text, whatever its kind.
		var raw any = json.Number(name)
		switch f.MapKey().Kind() {
		case protoreflect.StringKind:
			raw = name
		case protoreflect.BoolKind:
			raw = strings.EqualFold(name, "true")
		}
		key, err := scalar(f.MapKey(), nil, raw, path(at, name))
		if err != nil {
			return err
		}
		one, err := scalar(f.MapValue(), m.NewValue, object[name], path(at, name))
		if err != nil {
			return err
		}
		m.Set(key.MapKey(), one)
	}
	return nil
}

// scalar returns value in the kind of the field; empty returns a new message to fill.
func scalar(f protoreflect.FieldDescriptor, empty func() protoreflect.Value, value any, at string) (protoreflect.Value, error) {
	switch f.Kind() {
	case protoreflect.MessageKind, protoreflect.GroupKind:
		one := empty()
		return one, fill(one.Message(), value, at)
	case protoreflect.StringKind:
		if text, ok := value.(string); ok && utf8.ValidString(text) {
			return protoreflect.ValueOfString(text), nil
		}
	case protoreflect.BytesKind:
		if text, ok := value.(string); ok {
			if data, err := base64.StdEncoding.DecodeString(text); err == nil {
				return protoreflect.ValueOfBytes(data), nil
			}
			return protoreflect.Value{}, fmt.Errorf("field %q is bytes: its text must be base64", at)
		}
	case protoreflect.EnumKind:
		if text, ok := value.(string); ok {
			if known := f.Enum().Values().ByName(protoreflect.Name(text)); known != nil {
				return protoreflect.ValueOfEnum(known.Number()), nil
			}
			return protoreflect.Value{}, fmt.Errorf("field %q: %s has no value %q", at, f.Enum().FullName(), quotable(text))
		}
	}
	if one, ok := number(f.Kind(), value); ok {
		return one, nil
	}
	return protoreflect.Value{}, mismatch(at, value, kindName(f))
}

func sorted(object map[string]any) []string {
	keys := make([]string, 0, len(object))
	for key := range object {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

func path(at, name string) string {
	if at == "" {
		return quotable(name)
	}
	return at + "." + quotable(name)
}

func within(at string) string {
	if at == "" {
		return ""
	}
	return fmt.Sprintf(" (in %q)", at)
}

func mismatch(at string, value any, want string) error {
	what := "the value"
	if at != "" {
		what = fmt.Sprintf("field %q", at)
	}
	return fmt.Errorf("%s must be %s, not %s", what, want, shown(value))
}

// shown returns value as an error prints it.
func shown(value any) string {
	switch v := value.(type) {
	case nil:
		return "null (None)"
	case map[string]any:
		return "a dict"
	case []any:
		return "a list"
	case string:
		return fmt.Sprintf("the text %q", quotable(v))
	case json.Number:
		switch v {
		case literalNaN:
			return "the number NaN"
		case literalInfinity, "-" + literalInfinity:
			return "the number " + strings.Replace(v.String(), literalInfinity, "Infinity", 1)
		}
		return "the number " + quotable(v.String())
	}
	return fmt.Sprint(value)
}

func kindName(f protoreflect.FieldDescriptor) string {
	switch f.Kind() {
	case protoreflect.StringKind:
		return "a text (string)"
	case protoreflect.EnumKind:
		return "a value of " + string(f.Enum().FullName())
	}
	return "of type " + f.Kind().String()
}

func names(d protoreflect.MessageDescriptor) string {
	all := make([]string, 0, maxNames)
	for i := range d.Fields().Len() {
		if i == maxNames {
			all = append(all, "…")
			break
		}
		all = append(all, string(d.Fields().Get(i).Name()))
	}
	if len(all) == 0 {
		return "none"
	}
	return strings.Join(all, ", ")
}

// quotable shortens untrusted text for an error message.
func quotable(text string) string { return clip.Text(text, 80) }
