package capture

import (
	"bytes"
	"encoding/base64"
	"math"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"

	"krt.dev/kn-krt/pkg/runner/event"
	"krt.dev/kn-krt/pkg/schema/fieldpath"
)

// redacted stands for a value that must not be kept.
const redacted = `"[redacted]"`

// maxDepth is how deep messages may be nested to be written.
const maxDepth = 100

// writer writes a message in the JSON form of protobuf, with values of zero, as the web
// port does, and without the values that must not be kept. It leaves out what does not fit.
type writer struct {
	*Contract
	text []byte
	most int  // bytes of text
	cut  bool // something was left out
	// partial says that fields of the message are missing: one that is not set may be one of
	// these, so that it is not shown as empty.
	partial bool
}

// fits reports whether n more bytes may be written. If not, nothing is written any more
// but the ends of what has begun.
func (w *writer) fits(n int) bool {
	w.cut = w.cut || len(w.text)+n > w.most
	return !w.cut
}

// key begins an element of an object, and reports whether it fits.
func (w *writer) key(name string) bool {
	if !w.fits(len(name)) {
		return false
	}
	quoted := quote(name)
	if !w.fits(len(quoted) + len(redacted) + len(",:")) {
		return false
	}
	w.element()
	w.text = append(append(w.text, quoted...), ':')
	return true
}

// element separates an element from the one before.
func (w *writer) element() {
	if last := w.text[len(w.text)-1]; last != '{' && last != '[' {
		w.text = append(w.text, ',')
	}
}

// quote returns text as a JSON string.
func quote(text string) []byte {
	var out bytes.Buffer
	_ = encoder(&out).Encode(strings.ToValidUTF8(text, "\uFFFD")) // never fails for a string
	return bytes.TrimSuffix(out.Bytes(), []byte("\n"))
}

func (w *writer) raw(text string) { w.text = append(w.text, text...) }

// message writes m, where at is the state of the paths there.
func (w *writer) message(m protoreflect.Message, at fieldpath.State, depth int) {
	switch name := m.Descriptor().FullName(); {
	case depth > maxDepth:
		w.cut = true
		w.raw("null")
	case name == "google.protobuf.Any":
		w.any(m, at, depth)
	case fieldpath.Dynamic(name):
		w.dynamic(m, at, depth)
	case wellKnown(name):
		w.wellKnown(m, at)
	default:
		w.raw("{")
		w.fields(m, at, depth)
		w.raw("}")
	}
}

// fields writes the fields of m. One that must not be kept is shown whether it is set or not.
func (w *writer) fields(m protoreflect.Message, at fieldpath.State, depth int) {
	all := m.Descriptor().Fields()
	for i := 0; i < all.Len() && !w.cut; i++ {
		f := all.Get(i)
		in, hidden := w.Enter(at, f)
		if !m.Has(f) && w.omitted(f, hidden) {
			continue
		}
		switch {
		case !w.key(f.JSONName()):
		case hidden:
			w.raw(redacted)
		case f.IsMap():
			w.mapped(f, m.Get(f).Map(), in, depth)
		case f.IsList():
			w.list(f, m.Get(f).List(), in, depth)
		default:
			w.value(f, m.Get(f), in, depth)
		}
	}
}

// omitted reports whether f is left out of a message in which it is not set.
func (w *writer) omitted(f protoreflect.FieldDescriptor, hidden bool) bool {
	return (f.HasPresence() || w.partial) && (!hidden || inOneof(f))
}

// inOneof reports whether f is a member of a oneof that the contract's author wrote: that of a
// field with "optional" is made by the compiler.
func inOneof(f protoreflect.FieldDescriptor) bool {
	one := f.ContainingOneof()
	return one != nil && !one.IsSynthetic()
}

// debugRedact reports whether the contract's author marked f as one that is not to be shown.
func debugRedact(f protoreflect.FieldDescriptor) bool {
	options, ok := f.Options().(*descriptorpb.FieldOptions)
	return ok && options.GetDebugRedact()
}

func (w *writer) list(f protoreflect.FieldDescriptor, list protoreflect.List, at fieldpath.State, depth int) {
	w.raw("[")
	for i := 0; i < list.Len() && w.fits(len(redacted)); i++ {
		w.element()
		w.value(f, list.Get(i), at, depth)
	}
	w.raw("]")
}

// mapped writes a map, its keys sorted as texts.
func (w *writer) mapped(f protoreflect.FieldDescriptor, m protoreflect.Map, at fieldpath.State, depth int) {
	keys := make([]protoreflect.MapKey, 0, m.Len())
	m.Range(func(k protoreflect.MapKey, _ protoreflect.Value) bool {
		keys = append(keys, k)
		return true
	})
	slices.SortFunc(keys, func(a, b protoreflect.MapKey) int { return strings.Compare(a.String(), b.String()) })
	w.raw("{")
	for _, k := range keys {
		if !w.key(k.String()) {
			break
		}
		in, whole := w.EnterKey(at, k.String())
		if whole {
			w.raw(redacted)
			continue
		}
		w.value(f.MapValue(), m.Get(k), in, depth)
	}
	w.raw("}")
}

// value writes one value of a field's kind. One that does not fit becomes null.
func (w *writer) value(f protoreflect.FieldDescriptor, v protoreflect.Value, at fieldpath.State, depth int) {
	switch f.Kind() {
	case protoreflect.MessageKind, protoreflect.GroupKind:
		w.message(v.Message(), at, depth+1)
	case protoreflect.StringKind:
		w.long(v.String())
	case protoreflect.BytesKind:
		if n := base64.StdEncoding.EncodedLen(len(v.Bytes())); !w.fits(n) {
			w.raw("null")
			return
		}
		w.long(base64.StdEncoding.EncodeToString(v.Bytes()))
	case protoreflect.EnumKind:
		w.enum(f, v.Enum())
	case protoreflect.FloatKind:
		w.float(v.Float(), 32)
	case protoreflect.DoubleKind:
		w.float(v.Float(), 64)
	case protoreflect.Int64Kind, protoreflect.Sint64Kind, protoreflect.Sfixed64Kind,
		protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		w.raw(`"` + v.String() + `"`)
	default: // a number of 32 bits or a bool
		w.raw(v.String())
	}
}

// long writes a text of any length.
func (w *writer) long(text string) {
	if !w.fits(len(text)) {
		w.raw("null")
		return
	}
	if quoted := quote(text); w.fits(len(quoted)) {
		w.text = append(w.text, quoted...)
		return
	}
	w.raw("null")
}

func (w *writer) enum(f protoreflect.FieldDescriptor, number protoreflect.EnumNumber) {
	if known := f.Enum().Values().ByNumber(number); known != nil {
		w.long(string(known.Name()))
		return
	}
	w.raw(strconv.Itoa(int(number)))
}

func (w *writer) float(v float64, bits int) {
	switch {
	case math.IsNaN(v):
		w.raw(`"NaN"`)
	case math.IsInf(v, 1):
		w.raw(`"Infinity"`)
	case math.IsInf(v, -1):
		w.raw(`"-Infinity"`)
	default:
		w.text = strconv.AppendFloat(w.text, v, 'g', -1, bits)
	}
}

// decode returns the message of that name in data, without fields that its type does not have.
func (c *Contract) decode(name protoreflect.FullName, data []byte) (protoreflect.Message, error) {
	return c.message(name, data, proto.UnmarshalOptions{DiscardUnknown: true, AllowPartial: true})
}

// Decode returns the message of that full name in data, with fields that its type does not have.
// The error says why it cannot be decoded: its type is unknown, it is malformed, or it would
// take too much memory.
func (c *Contract) Decode(name string, data []byte) (protoreflect.Message, error) {
	return c.message(protoreflect.FullName(name), data, proto.UnmarshalOptions{AllowPartial: true})
}

func (c *Contract) message(name protoreflect.FullName, data []byte, o proto.UnmarshalOptions) (protoreflect.Message, error) {
	kind, err := c.find(name)
	if err != nil {
		return nil, err
	}
	if messages(kind, data, 0) > maxMessages {
		return nil, errParts
	}
	m := dynamicpb.NewMessage(kind)
	return m, event.Decode(o, data, m)
}
