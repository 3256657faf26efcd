package compare

import (
	"encoding/base64"
	"fmt"
	"strconv"

	"google.golang.org/protobuf/reflect/protoreflect"

	"krt.dev/kn-krt/pkg/runner/clip"
)

// Bounds of what is shown of a difference, in bytes.
const (
	maxText = 128
	maxKey  = 64
	maxPath = 512
)

// What stands for a value.
const (
	absent   = "absent"
	redacted = "[redacted]"
)

// text is a scalar for people.
func (c *comparison) text(f protoreflect.FieldDescriptor, s side) string {
	if !s.there {
		return absent
	}
	switch f.Kind() {
	case protoreflect.StringKind:
		return quoted(s.value.String())
	case protoreflect.BytesKind:
		data := s.value.Bytes()
		if len(data) > maxText/2 {
			return base64.StdEncoding.EncodeToString(data[:maxText/2]) + "… (" + size(data) + ")"
		}
		return `"` + base64.StdEncoding.EncodeToString(data) + `"`
	case protoreflect.EnumKind:
		if known := f.Enum().Values().ByNumber(s.value.Enum()); known != nil {
			return clip.Text(string(known.Name()), maxText)
		}
		return strconv.Itoa(int(s.value.Enum()))
	case protoreflect.FloatKind:
		return strconv.FormatFloat(s.value.Float(), 'g', -1, 32)
	case protoreflect.DoubleKind:
		return strconv.FormatFloat(s.value.Float(), 'g', -1, 64)
	}
	return s.value.String()
}

// quoted is a text of a version within quotes, without what a terminal would obey.
func quoted(text string) string { return strconv.Quote(clip.Text(text, maxText)) }

// key is a key of a map at the end of a path.
func (c *comparison) key(k protoreflect.MapKey) string {
	if !c.Values {
		return "[…]"
	}
	if text, ok := k.Interface().(string); ok {
		return "[" + strconv.Quote(clip.Text(text, maxKey)) + "]"
	}
	return "[" + k.String() + "]"
}

// presence is a message that is absent, or empty.
func presence(s side) string {
	if s.there {
		return "{}"
	}
	return absent
}

func size(data []byte) string {
	switch len(data) {
	case 0:
		return absent
	case 1:
		return "1 byte"
	}
	return fmt.Sprintf("%d bytes", len(data))
}
