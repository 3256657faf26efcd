// Package verbatim has what measurements send by gRPC without encoding it.
package verbatim

import "google.golang.org/grpc/mem"

// Codec is a codec of messages that are their own bytes: they are a *[]byte.
type Codec struct{}

// Name implements encoding.CodecV2: on the wire it is protobuf's.
func (Codec) Name() string { return "proto" }

// Marshal implements encoding.CodecV2.
func (Codec) Marshal(v any) (mem.BufferSlice, error) {
	return mem.BufferSlice{mem.SliceBuffer(*v.(*[]byte))}, nil
}

// Unmarshal implements encoding.CodecV2.
func (Codec) Unmarshal(data mem.BufferSlice, v any) error {
	*v.(*[]byte) = data.Materialize()
	return nil
}
