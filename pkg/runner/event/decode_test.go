package event_test

import (
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/dynamicpb"
	"google.golang.org/protobuf/types/known/structpb"

	"krt.dev/kn-krt/pkg/runner/event"
)

// TestDecodeReportsAMalformedMap: package proto panics over an entry whose second key is a
// number, in a message without generated code.
func TestDecodeReportsAMalformedMap(t *testing.T) {
	m := dynamicpb.NewMessage((&structpb.Struct{}).ProtoReflect().Descriptor())
	for data, fails := range map[string]bool{"\x0a\x05\x0a\x01k\x08\x01": true, "\x0a": true, "\x0a\x03\x0a\x01k": false} {
		if err := event.Decode(proto.UnmarshalOptions{}, []byte(data), m); (err != nil) != fails {
			t.Errorf("%q: %v", data, err)
		}
	}
}
