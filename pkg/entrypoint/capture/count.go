package capture

import (
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// maxMessages bounds the messages within one that is decoded: one of two bytes takes
// hundreds in memory.
const maxMessages = 20_000

// messages returns how many messages of the given kind are in data, itself included; more
// than maxMessages if they are nested too deep. What is malformed is for decoding to find.
func messages(kind protoreflect.MessageDescriptor, data []byte, depth int) int {
	if depth > maxDepth {
		return maxMessages + 1
	}
	count := 1
	for len(data) > 0 && count <= maxMessages {
		number, wire, n := protowire.ConsumeTag(data)
		if n < 0 {
			break
		}
		size := protowire.ConsumeFieldValue(number, wire, data[n:])
		if size < 0 {
			break
		}
		if f := kind.Fields().ByNumber(number); f != nil && f.Message() != nil {
			var content []byte
			switch wire {
			case protowire.BytesType:
				content, _ = protowire.ConsumeBytes(data[n:])
			case protowire.StartGroupType:
				content, _ = protowire.ConsumeGroup(number, data[n:])
			}
			count += messages(f.Message(), content, depth+1)
		}
		data = data[n+size:]
	}
	return count
}
