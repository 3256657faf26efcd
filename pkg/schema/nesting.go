package schema

import (
	"fmt"
	"iter"

	"google.golang.org/protobuf/reflect/protoreflect"
)

const (
	// MaxNesting is how deep messages may be nested: what every implementation of
	// Protocol Buffers decodes.
	MaxNesting = 100
	// flatJSON is the depth of JSON that cannot become a message above MaxNesting: a
	// level of google.protobuf.Struct is three messages.
	flatJSON = 30
)

// CheckDepth returns an error if m, which was read from text in JSON, is nested too
// deep for a node to decode.
func CheckDepth(text []byte, m protoreflect.Message) error {
	if jsonDepth(text) <= flatJSON || fits(m, MaxNesting) {
		return nil
	}
	return fmt.Errorf("it is nested more than %d messages deep, the limit of decoders of Protocol Buffers", MaxNesting)
}

// jsonDepth is how deep text is nested.
func jsonDepth(text []byte) (most int) {
	depth := 0
	for c := range JSONMarks(text) {
		switch c {
		case '{', '[':
			depth++
			most = max(most, depth)
		case '}', ']':
			depth--
		}
	}
	return most
}

// JSONMarks are the brackets, braces and commas of text that are not in one of its strings.
func JSONMarks(text []byte) iter.Seq[byte] {
	return func(yield func(byte) bool) {
		quoted, escaped := false, false
		for _, c := range text {
			switch {
			case escaped:
				escaped = false
			case c == '"':
				quoted = !quoted
			case quoted:
				escaped = c == '\\'
			case c == '{', c == '[', c == '}', c == ']', c == ',':
				if !yield(c) {
					return
				}
			}
		}
	}
}

// fits reports whether m is at most depth messages deep.
func fits(m protoreflect.Message, depth int) (ok bool) {
	if depth <= 0 {
		return false
	}
	ok = true
	m.Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		switch {
		case field.IsMap():
			if field.MapValue().Message() != nil {
				value.Map().Range(func(_ protoreflect.MapKey, v protoreflect.Value) bool {
					ok = fits(v.Message(), depth-2) // an entry is a message too
					return ok
				})
			}
		case field.Message() == nil:
		case field.IsList():
			for i := range value.List().Len() {
				if ok = fits(value.List().Get(i).Message(), depth-1); !ok {
					return false
				}
			}
		default:
			ok = fits(value.Message(), depth-1)
		}
		return ok
	})
	return ok
}
