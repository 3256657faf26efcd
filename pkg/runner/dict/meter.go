package dict

import (
	"errors"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// meter finds messages whose JSON would be too large before anything is made of
// them: two bytes are an empty message, which as JSON names all its fields.
type meter struct {
	left  int // bytes
	least map[protoreflect.FullName]int
}

// exceeds reports whether the messages within data, one of d, are more than is left.
// What is malformed is for decoding to find.
func (m *meter) exceeds(d protoreflect.MessageDescriptor, data []byte, depth int) bool {
	m.left -= m.of(d)
	if m.left < 0 {
		return true
	}
	if depth > maxDepth { // decoding goes deeper, with memory in proportion to data
		return false
	}
	err := fields(data, func(f field) error {
		known := d.Fields().ByNumber(f.number)
		if known == nil || known.Message() == nil || f.content == nil {
			return nil
		}
		if m.exceeds(known.Message(), f.content, depth+1) {
			return ErrTooLarge
		}
		return nil
	})
	return errors.Is(err, ErrTooLarge)
}

// of is the least size of the JSON of a d: names and values of the fields that are
// always there.
func (m *meter) of(d protoreflect.MessageDescriptor) int {
	size, known := m.least[d.FullName()]
	if known {
		return size
	}
	size = len("{}")
	for i := range d.Fields().Len() {
		if f := d.Fields().Get(i); !f.HasPresence() && !d.IsMapEntry() {
			size += len(f.Name()) + len(`"":0,`)
		}
	}
	m.least[d.FullName()] = size
	return size
}
