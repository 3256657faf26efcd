package web

import (
	"errors"

	"google.golang.org/protobuf/reflect/protoreflect"

	"krt.dev/kn-krt/pkg/entrypoint/memory"
	"krt.dev/kn-krt/pkg/schema"
)

// What decoding JSON takes in memory, in bytes, measured with dynamic messages: an
// element of google.protobuf.Struct or Value, which is a message of its own, a
// message of the contract, and any other element of a list.
const (
	weightOfValue   = 500
	weightOfMessage = 200
	weightOfElement = 32
)

// errHeavy is the error of a message for which there is no memory at the moment, errDense that of one for which there
// never is.
var (
	errHeavy = errors.New("there is no memory at the moment to decode its many values; send it again later")
	errDense = &sizeError{"the message has so many values that decoding it from JSON takes more memory than there is; " +
		"send it as Protocol Buffers (gRPC, gRPC-Web or Connect), or less at once"}
)

// decode counts what decoding a message of that kind from text takes in b: two bytes
// of text can become a message of hundreds. The returned function gives it back. The
// error is errHeavy or errDense.
func decode(b *memory.Budget, text []byte, kind protoreflect.MessageDescriptor) (decoded func(), err error) {
	if len(text) <= smallBody {
		return func() {}, nil
	}
	n := jsonWeight(text, kind)
	if !b.Decodable(n) {
		return nil, errDense
	}
	if !b.Decode(n) {
		return nil, errHeavy
	}
	return func() { b.Decoded(n) }, nil
}

// jsonWeight is what decoding text takes at most, about.
func jsonWeight(text []byte, kind protoreflect.MessageDescriptor) int64 {
	messages, elements := int64(weightOfMessage), int64(weightOfElement)
	if holdsValues(kind, map[protoreflect.FullName]bool{}) {
		messages, elements = weightOfValue, weightOfValue
	}
	weight := int64(0)
	for c := range schema.JSONMarks(text) {
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
