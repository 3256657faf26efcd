package compare

import (
	"bytes"
	"maps"
	"slices"
	"strconv"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"krt.dev/kn-krt/pkg/runner/event"
)

// dynamic compares two of google.protobuf.Struct, Value or ListValue. As in JSON, their own
// fields are not part of paths.
func (c *comparison) dynamic(a, b protoreflect.Message, at place) {
	fields := a.Descriptor().Fields()
	switch a.Descriptor().FullName() {
	case "google.protobuf.Struct":
		f := fields.ByName("fields")
		c.maps(f, a.Get(f).Map(), b.Get(f).Map(), at)
	case "google.protobuf.ListValue":
		f := fields.ByName("values")
		c.lists(f, a.Get(f).List(), b.Get(f).List(), at)
	default:
		kind := a.Descriptor().Oneofs().ByName("kind")
		left, right := a.WhichOneof(kind), b.WhichOneof(kind)
		switch {
		case left == nil && right == nil:
		case left == right:
			c.value(left, side{a.Get(left), true}, side{b.Get(right), true}, at)
		default:
			c.differ(c.kindOf(left, a), c.kindOf(right, b))
		}
	}
}

// kindOf is the text of a google.protobuf.Value that has another kind than the other one.
func (c *comparison) kindOf(f protoreflect.FieldDescriptor, m protoreflect.Message) string {
	switch {
	case f == nil:
		return absent
	case f.Enum() != nil:
		return "null"
	case f.Message() == nil:
		return c.text(f, side{m.Get(f), true})
	case f.Name() == "list_value":
		return "[…]"
	}
	return "{…}"
}

// any compares two of google.protobuf.Any: the messages in them if both are of one type, which
// the contract has.
func (c *comparison) any(a, b protoreflect.Message, at place) {
	fields := a.Descriptor().Fields()
	url, value := fields.ByName("type_url"), fields.ByName("value")
	left, right := a.Get(url).String(), b.Get(url).String()
	name := event.MessageName(left)
	if name != event.MessageName(right) {
		c.within(c.named("@type"), func() { c.differ(quoted(left), quoted(right)) })
		return
	}
	if bytes.Equal(a.Get(value).Bytes(), b.Get(value).Bytes()) {
		return
	}
	inner, err := c.Contract.Decode(name, a.Get(value).Bytes())
	other, otherErr := c.Contract.Decode(name, b.Get(value).Bytes())
	if err == nil && otherErr == nil {
		c.message(inner, other, at)
		return
	}
	// Nothing tells whether there is something in them that must not be shown.
	c.within(c.named("value"), func() {
		c.differ(size(a.Get(value).Bytes()), size(b.Get(value).Bytes()))
	})
}

// unknown compares the fields that the contract does not have, as far as the published response
// has them. Their names are their numbers.
func (c *comparison) unknown(a, b protoreflect.RawFields, at place) {
	if len(a) == 0 {
		return
	}
	left, right := byNumber(a), byNumber(b)
	for _, number := range slices.Sorted(maps.Keys(left)) {
		name := strconv.Itoa(int(number))
		_, may := c.Ignore.Enter(at.ignore, name)
		if c.done() || may || bytes.Equal(left[number], right[number]) {
			continue
		}
		c.within(c.named(name), func() { c.differ(size(left[number]), size(right[number])) })
	}
}

// byNumber splits fields by their numbers. What is malformed has been refused.
func byNumber(raw protoreflect.RawFields) map[protowire.Number][]byte {
	fields := map[protowire.Number][]byte{}
	for len(raw) > 0 {
		number, _, n := protowire.ConsumeField(raw)
		if n <= 0 {
			break
		}
		fields[number] = append(fields[number], raw[:n]...)
		raw = raw[n:]
	}
	return fields
}

func equal(a, b protoreflect.Message) bool { return proto.Equal(a.Interface(), b.Interface()) }

// empty reports whether no field of m is set.
func empty(m protoreflect.Message) bool {
	none := len(m.GetUnknown()) == 0
	m.Range(func(protoreflect.FieldDescriptor, protoreflect.Value) bool { none = false; return false })
	return none
}
