package raw

import (
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/mem"
)

// Frame is a message as its bytes, which gRPC frees.
type Frame struct{ Data mem.BufferSlice }

// Codec writes frames as they are and leaves messages of the server's own
// services to the usual codec.
type Codec struct{ encoding.CodecV2 }

// Marshal implements encoding.CodecV2; gRPC frees the buffers.
func (c Codec) Marshal(v any) (mem.BufferSlice, error) {
	if f, ok := v.(*Frame); ok {
		return f.Data, nil
	}
	return c.CodecV2.Marshal(v)
}
