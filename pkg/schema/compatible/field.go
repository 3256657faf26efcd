package compatible

import (
	"fmt"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// field compares a field that clients know with the version's of the same number.
func (c *checker) field(path string, known, field protoreflect.FieldDescriptor) {
	switch {
	case known.JSONName() != field.JSONName():
		c.report(path, "its name in JSON is %q, and was %q", field.JSONName(), known.JSONName())
	case shape(known) != shape(field):
		c.report(path, "it is %s, and was %s", shape(field), shape(known))
	case known.Kind() != field.Kind():
		c.report(path, "its type is %s, and was %s", field.Kind(), known.Kind())
	case known.IsMap():
		c.entries(path, known, field)
	case !sameDefault(known, field):
		c.report(path, "its default value differs")
	case known.Enum() != nil:
		c.enum(path, known.Enum(), field.Enum())
	case known.Message() != nil:
		writer, reader := ordered(c, known.Message(), field.Message())
		c.message(path, writer, reader)
	}
}

// entries compares the keys and the values of maps.
func (c *checker) entries(path string, known, field protoreflect.FieldDescriptor) {
	if k, f := known.MapKey().Kind(), field.MapKey().Kind(); k != f {
		c.report(path, "the type of its keys is %s, and was %s", f, k)
		return
	}
	c.field(path, known.MapValue(), field.MapValue())
}

// shape is how many values a field has.
func shape(f protoreflect.FieldDescriptor) string {
	switch {
	case f.IsMap():
		return "a map"
	case f.IsList():
		return "repeated"
	default:
		return "a single value"
	}
}

// sameDefault reports whether a field that is not sent means the same.
func sameDefault(a, b protoreflect.FieldDescriptor) bool {
	if !a.HasDefault() && !b.HasDefault() {
		return true
	}
	if a.Kind() == protoreflect.EnumKind { // values of different types
		return a.Default().Enum() == b.Default().Enum()
	}
	return fmt.Sprint(a.Default().Interface()) == fmt.Sprint(b.Default().Interface())
}

// enum compares values: names are what JSON has. The version may have more of them, and send
// them to clients whose enum is open.
func (c *checker) enum(path string, known, offered protoreflect.EnumDescriptor) {
	if known.FullName() == "google.protobuf.NullValue" || offered.FullName() == "google.protobuf.NullValue" {
		if known.FullName() != offered.FullName() {
			c.report(path, "its type is %s, and was %s", offered.FullName(), known.FullName())
		}
		return
	}
	if zero := known.Values().Get(0); zero.Number() != offered.Values().Get(0).Number() {
		c.report(path, "its default value differs")
		return
	}
	for i := range known.Values().Len() {
		value := known.Values().Get(i)
		if same := offered.Values().ByName(value.Name()); same == nil || same.Number() != value.Number() {
			c.report(path, "value %s = %d is missing", value.Name(), value.Number())
			return
		}
	}
	if !c.back {
		return
	}
	for i := range offered.Values().Len() {
		value := offered.Values().Get(i)
		if other := known.Values().ByNumber(value.Number()); other == nil && known.IsClosed() {
			c.report(path, "value %s = %d is new, and clients may refuse it", value.Name(), value.Number())
			return
		}
	}
}
