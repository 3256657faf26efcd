// Package dict converts between protobuf messages and the JSON values that nodes
// of the original's runners up to 1.22 (Python) and 1.8 (Go) exchange.
//
// Between nodes such a value is a google.protobuf.Struct or, if it is not an
// object, a google.protobuf.Value. Struct itself keeps neither the order of keys
// nor the difference of 2 and 2.0, nor whole numbers beyond 2^53, and JSON kept
// all three. So entries are written and read in order, and a value that would
// change is marked with a field that Value does not have and other readers skip.
package dict

import (
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	"krt.dev/kn-krt/pkg/runner/event"
)

// Full names of the messages that carry a value.
const (
	StructName = "google.protobuf.Struct"
	ValueName  = "google.protobuf.Value"
)

// Growth times the size of the largest message is the limit for the JSON that a node
// makes of a message.
const Growth = 8

// maxDepth is how deep objects and lists may be nested.
const maxDepth = 256

// Is reports whether messages of that full name carry a value.
func Is(name string) bool { return name == StructName || name == ValueName }

// Decode returns the message of an event, given its full name and its data, as JSON.
// The message is a value, or one that find knows; find returns nil for others. For JSON
// of more than limit bytes the error is [ErrTooLarge]; 0 means no limit.
func Decode(name string, data []byte, find func(name string) protoreflect.MessageDescriptor, limit int) ([]byte, error) {
	text, err := decode(name, data, find, limit)
	if err == nil && limit > 0 && len(text) > limit {
		return nil, tooLarge(name, limit)
	}
	return text, err
}

// ErrTooLarge is the error of a message whose JSON is larger than the limit.
var ErrTooLarge = errors.New("too large as a dict")

func tooLarge(name string, limit int) error {
	return fmt.Errorf("the message %s is %w: its JSON has more than %d bytes; send it in parts", name, ErrTooLarge, limit)
}

func decode(name string, data []byte, find func(name string) protoreflect.MessageDescriptor, limit int) ([]byte, error) {
	switch name {
	case StructName:
		return readStruct(nil, data, 0)
	case ValueName:
		return readValue(nil, data, 0)
	}
	descriptor := find(name)
	if descriptor == nil {
		return nil, fmt.Errorf("the message %s is not in the version's protos: it cannot be converted to a dict", name)
	}
	if limit > 0 && (&meter{left: limit, least: map[protoreflect.FullName]int{}}).exceeds(descriptor, data, 0) {
		return nil, tooLarge(name, limit)
	}
	message := dynamicpb.NewMessage(descriptor)
	if err := event.Decode(proto.UnmarshalOptions{}, data, message); err != nil {
		return nil, fmt.Errorf("cannot decode the message %s: %w", name, err)
	}
	return appendMessage(nil, message), nil
}

// Encode returns the full name and the data of the message that carries the JSON text.
// It accepts NaN, Infinity and -Infinity, which Python writes.
func Encode(text []byte) (name string, data []byte, err error) {
	reader := newReader(text)
	token, err := reader.token()
	if err != nil {
		return "", nil, err
	}
	if name = ValueName; isObject(token) {
		name = StructName
		data, err = reader.object(nil, 0)
	} else {
		data, err = reader.value(nil, token, 0)
	}
	if err != nil {
		return "", nil, err
	}
	return name, data, reader.end()
}
