// Package compare finds the fields in which the responses of two versions to one request differ.
//
// It compares them as the clients of the published contract see them: by its descriptors, field
// by field. A field that the contract does not have is compared if the published response has it;
// what another version adds is not a difference.
package compare

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	"krt.dev/kn-krt/pkg/entrypoint/capture"
	"krt.dev/kn-krt/pkg/inspection"
	"krt.dev/kn-krt/pkg/runner/clip"
	"krt.dev/kn-krt/pkg/schema/fieldpath"
)

// maxDepth is how deep messages are compared field by field; below they are equal or not.
const maxDepth = 100

// Rules say when two responses are equal, and what is shown of those that are not.
type Rules struct {
	// Contract decodes the responses. Fields that it redacts are compared and not shown.
	Contract *capture.Contract
	// Ignore are the fields that may differ; see package fieldpath. Nil: none.
	Ignore *fieldpath.Set
	// Tolerance is by how much floating-point numbers may differ, relative to the larger one:
	// 0.01 is 1 %.
	Tolerance float64
	// Values says that values and keys of maps may be shown. Without it paths alone are.
	Values bool
}

// ErrPublished is that there is nothing to compare with, whatever the canary's response.
var ErrPublished = errors.New("cannot decode the response of the published version")

// Responses compares two responses, messages of that full name, and returns the fields that
// differ, at most [inspection.MaxFields], in the order of the contract, and whether there are
// more. The error says which of them cannot be decoded, and why: it is [ErrPublished] if it is the
// published one.
func (r Rules) Responses(name string, published, canary []byte) (fields []inspection.Field, more bool, err error) {
	if bytes.Equal(published, canary) {
		return nil, false, nil
	}
	a, err := r.Contract.Decode(name, published)
	if err != nil {
		return nil, false, fmt.Errorf("%w: %w", ErrPublished, err)
	}
	b, err := r.Contract.Decode(name, canary)
	if err != nil {
		return nil, false, fmt.Errorf("cannot decode the response of the canary: %w", err)
	}
	if r.Ignore == nil {
		r.Ignore = &fieldpath.Set{}
	}
	c := &comparison{Rules: r}
	c.message(a, b, place{})
	return c.fields, c.more, nil
}

// comparison is a comparison of two messages, which are walked together.
type comparison struct {
	Rules
	path   []byte // of where it is
	fields []inspection.Field
	more   bool
	quiet  bool // one difference is enough, and is not shown
}

// place is where a comparison is: how far the paths match there, and how deep it is.
type place struct {
	redact, ignore fieldpath.State
	depth          int
}

// side is a value of one of the two, if there is one.
type side struct {
	value protoreflect.Value
	there bool
}

// done reports whether further differences would change nothing.
func (c *comparison) done() bool { return c.more || c.quiet && len(c.fields) > 0 }

// within calls compare with name at the end of the path.
func (c *comparison) within(name string, compare func()) {
	length := len(c.path)
	c.path = append(c.path, name...)
	compare()
	c.path = c.path[:length]
}

// named is a field's name at the end of the present path.
func (c *comparison) named(name string) string {
	if len(c.path) == 0 {
		return name
	}
	return "." + name
}

// message compares the fields of two messages of one type.
func (c *comparison) message(a, b protoreflect.Message, at place) {
	at.depth++
	name := a.Descriptor().FullName()
	switch {
	case c.done():
	case at.depth > maxDepth:
		if !equal(a, b) {
			c.differ("…", "…")
		}
	case name == "google.protobuf.Any":
		c.any(a, b, at)
	case fieldpath.Dynamic(name):
		c.dynamic(a, b, at)
	default:
		all := a.Descriptor().Fields()
		for i := 0; i < all.Len() && !c.done(); i++ {
			if f := all.Get(i); a.Has(f) || b.Has(f) {
				c.field(f, a, b, at)
			}
		}
		c.unknown(a.GetUnknown(), b.GetUnknown(), at)
	}
}

// field compares a field that one of the two has, unless it may differ.
func (c *comparison) field(f protoreflect.FieldDescriptor, a, b protoreflect.Message, at place) {
	ignore, may := c.Ignore.EnterField(at.ignore, f)
	if may {
		return
	}
	redact, hidden := c.Contract.Enter(at.redact, f)
	in := place{redact, ignore, at.depth}
	c.within(c.named(string(f.Name())), func() {
		c.shown(hidden, func(c *comparison) { c.content(f, a, b, in) })
	})
}

// shown compares what may be hidden: then it has one difference, without values.
func (c *comparison) shown(hidden bool, compare func(*comparison)) {
	if !hidden {
		compare(c)
		return
	}
	inner := &comparison{Rules: c.Rules, quiet: true}
	if compare(inner); len(inner.fields) > 0 {
		c.differ(redacted, redacted)
	}
}

// content compares a list, a map, or one value.
func (c *comparison) content(f protoreflect.FieldDescriptor, a, b protoreflect.Message, at place) {
	switch {
	case f.IsMap():
		c.maps(f, a.Get(f).Map(), b.Get(f).Map(), at)
	case f.IsList():
		c.lists(f, a.Get(f).List(), b.Get(f).List(), at)
	default: // a field without presence is always there
		c.value(f, side{a.Get(f), a.Has(f) || !f.HasPresence()}, side{b.Get(f), b.Has(f) || !f.HasPresence()}, at)
	}
}

func (c *comparison) lists(f protoreflect.FieldDescriptor, a, b protoreflect.List, at place) {
	of := func(list protoreflect.List, i int) side {
		if i >= list.Len() {
			return side{}
		}
		return side{list.Get(i), true}
	}
	for i := 0; i < max(a.Len(), b.Len()) && !c.done(); i++ {
		c.within(fmt.Sprintf("[%d]", i), func() { c.value(f, of(a, i), of(b, i), at) })
	}
}

func (c *comparison) maps(f protoreflect.FieldDescriptor, a, b protoreflect.Map, at place) {
	var keys []protoreflect.MapKey
	a.Range(func(k protoreflect.MapKey, _ protoreflect.Value) bool { keys = append(keys, k); return true })
	b.Range(func(k protoreflect.MapKey, _ protoreflect.Value) bool {
		if !a.Has(k) {
			keys = append(keys, k)
		}
		return true
	})
	slices.SortFunc(keys, func(a, b protoreflect.MapKey) int { return strings.Compare(a.String(), b.String()) })
	of := func(m protoreflect.Map, k protoreflect.MapKey) side { return side{m.Get(k), m.Has(k)} }
	for _, k := range keys {
		if c.done() {
			return
		}
		ignore, may := c.Ignore.EnterKey(at.ignore, k.String())
		if may {
			continue
		}
		redact, hidden := c.Contract.EnterKey(at.redact, k.String())
		in := place{redact, ignore, at.depth}
		c.within(c.key(k), func() {
			c.shown(hidden, func(c *comparison) { c.value(f.MapValue(), of(a, k), of(b, k), in) })
		})
	}
}

// value compares two values of a field's kind.
func (c *comparison) value(f protoreflect.FieldDescriptor, a, b side, at place) {
	if f.Message() != nil {
		c.messages(f.Message(), a, b, at)
		return
	}
	if a.there != b.there || a.there && !c.same(f, a.value, b.value) {
		c.differ(c.text(f, a), c.text(f, b))
	}
}

// messages compares two messages, of which one may be absent: it is like an empty one then,
// but differs from an empty one.
func (c *comparison) messages(kind protoreflect.MessageDescriptor, a, b side, at place) {
	of := func(s side) protoreflect.Message {
		if !s.there {
			return dynamicpb.NewMessage(kind)
		}
		return s.value.Message()
	}
	left, right := of(a), of(b)
	if a.there != b.there && empty(left) && empty(right) {
		c.differ(presence(a), presence(b))
		return
	}
	c.message(left, right, at)
}

// same reports whether two scalars of a field are equal.
func (c *comparison) same(f protoreflect.FieldDescriptor, a, b protoreflect.Value) bool {
	if k := f.Kind(); k != protoreflect.FloatKind && k != protoreflect.DoubleKind {
		return a.Equal(b)
	}
	return c.near(a.Float(), b.Float())
}

// near reports whether two numbers are equal but for the tolerance. Not-a-number is equal to
// itself, infinite is near to nothing else.
func (c *comparison) near(a, b float64) bool {
	if a == b || math.IsNaN(a) && math.IsNaN(b) {
		return true
	}
	if math.IsInf(a, 0) || math.IsInf(b, 0) {
		return false
	}
	largest := max(math.Abs(a), math.Abs(b))
	return math.Abs(a/largest-b/largest) <= c.Tolerance // the difference itself may be infinite
}

// differ adds a difference at the present path.
func (c *comparison) differ(published, canary string) {
	one := inspection.Field{Path: clip.Text(string(c.path), maxPath)}
	if c.Values {
		one.Published, one.Canary = published, canary
	}
	switch {
	case slices.Contains(c.fields, one): // keys that are not shown have one path
	case len(c.fields) == inspection.MaxFields:
		c.more = true
	default:
		c.fields = append(c.fields, one)
	}
}
