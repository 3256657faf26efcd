package web

import (
	"errors"
	"sync/atomic"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// What decoding JSON takes in memory, in bytes, measured with dynamic messages: an
// element of google.protobuf.Struct or Value, which is a message of its own, a
// message of the contract, and any other element of a list.
const (
	weightOfValue   = 500
	weightOfMessage = 200
	weightOfElement = 32
)

var errHeavy = errors.New("it has so many values that decoding it takes more memory than there is; " +
	"send it as Protocol Buffers (gRPC, gRPC-Web or Connect), or less at once")

// Decodings bounds what messages that are read from JSON take while they are decoded:
// two bytes of text can become a message of hundreds.
type Decodings struct {
	held  atomic.Int64
	limit int64
}

// NewDecodings returns the bound of limit bytes.
func NewDecodings(limit int64) *Decodings { return &Decodings{limit: limit} }

// begin reserves room for a message of that kind in text; end gives it back.
func (d *Decodings) begin(text []byte, kind protoreflect.MessageDescriptor) (end func(), err error) {
	if len(text) <= smallBody {
		return func() {}, nil
	}
	n := jsonWeight(text, kind)
	if d.held.Add(n) > d.limit {
		d.held.Add(-n)
		return nil, errHeavy
	}
	return func() { d.held.Add(-n) }, nil
}

// jsonWeight is what decoding text takes at most, about.
func jsonWeight(text []byte, kind protoreflect.MessageDescriptor) int64 {
	messages, elements := int64(weightOfMessage), int64(weightOfElement)
	if holdsValues(kind, map[protoreflect.FullName]bool{}) {
		messages, elements = weightOfValue, weightOfValue
	}
	weight := int64(0)
	for c := range jsonMarks(text) {
		switch c {
		case '{', '[':
			weight += messages
		case ',':
			weight += elements
		}
	}
	return weight
}

// holdsValues reports whether a message of that kind may hold values of any form, in itself or
// in what it holds.
func holdsValues(kind protoreflect.MessageDescriptor, seen map[protoreflect.FullName]bool) bool {
	switch kind.FullName() {
	case "google.protobuf.Struct", "google.protobuf.Value", "google.protobuf.ListValue", "google.protobuf.Any":
		return true
	}
	if seen[kind.FullName()] {
		return false
	}
	seen[kind.FullName()] = true
	for i := range kind.Fields().Len() {
		if inner := kind.Fields().Get(i).Message(); inner != nil && holdsValues(inner, seen) {
			return true
		}
	}
	return false
}
