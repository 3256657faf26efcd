// Package raw reads and writes the messages of gRPC calls as bytes, counted before they come and
// until they are sent.
package raw

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/reflect/protoreflect"

	"krt.dev/kn-krt/pkg/entrypoint/memory"
	"krt.dev/kn-krt/pkg/runner/clip"
	"krt.dev/kn-krt/pkg/runner/event"
)

// wire is what gRPC's server streams can do and grpc.ServerStream does not
// show: read a message's length before the message, and end the stream from
// another goroutine.
type wire interface {
	ReadMessageHeader(header []byte) error
	Read(n int) (mem.BufferSlice, error)
	RecvCompress() string
	WriteStatus(s *status.Status) error
}

// End ends the call of ctx with s, whatever its handler does: also if that waits in SendMsg.
func End(ctx context.Context, s *status.Status) {
	if w, ok := grpc.ServerTransportStreamFromContext(ctx).(wire); ok {
		_ = w.WriteStatus(s)
	}
}

// Receiver receives the messages of calls.
type Receiver struct {
	// Budget counts a message while it comes, Buffers are for those that have.
	Budget  *memory.Budget
	Buffers *memory.Pool
	// Limit bounds a message, in bytes.
	Limit int64
}

// Receive reads the only message, of the type input, of a call of rpc into a pooled buffer,
// counting its bytes before they come. The error is a status.
func (r Receiver) Receive(ctx context.Context, rpc string, input protoreflect.FullName) (mem.Buffer, error) {
	w, ok := grpc.ServerTransportStreamFromContext(ctx).(wire)
	if !ok {
		return nil, status.Error(codes.Internal, "this server's streams cannot be read in parts")
	}
	in := upload{&memory.Upload{Abort: func(cause error) { _ = w.WriteStatus(status.FromProto(memory.Refusal(cause))) }}}
	if err := r.Budget.Begin(in.Upload, 0); err != nil {
		return nil, status.FromProto(memory.Refusal(err)).Err()
	}
	defer in.End()
	var header [5]byte
	if err := w.ReadMessageHeader(header[:]); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, status.Errorf(codes.InvalidArgument, "rpc %s requires a %s, but the request has no message", rpc, input)
		}
		return nil, in.status(err)
	}
	compressed, length, limit := header[0], int64(binary.BigEndian.Uint32(header[1:])), r.Limit
	if length > limit {
		return nil, tooLarge("the message has %d bytes, the limit is %d", length, limit)
	}
	raw, err := in.read(w, length)
	if err != nil {
		return nil, in.status(err)
	}
	defer raw.Free()
	// A unary call ends here. A client that goes on sending gets its error at once.
	switch err := w.ReadMessageHeader(header[:]); {
	case err == nil:
		return nil, status.Errorf(codes.InvalidArgument, "rpc %s takes one message, but the request has more", rpc)
	case !errors.Is(err, io.EOF):
		return nil, in.status(err)
	case !in.Arrived():
		return nil, in.status(memory.ErrFull)
	}
	switch compressed {
	case 0:
		data := r.Buffers.Get(int(length)) // gRPC's own are not counted
		raw.CopyTo(*data)
		return mem.NewBuffer(data, r.Buffers), nil
	case 1:
		return in.decompress(w.RecvCompress(), raw, limit, r.Buffers)
	}
	return nil, status.Errorf(codes.InvalidArgument, "the message has the compression flag %d; it must be 0 or 1", compressed)
}

// tooLarge is the status of a message whose size does not change when it is sent again: its reason says so.
func tooLarge(format string, args ...any) error {
	text := fmt.Sprintf(format, args...) + event.LimitNamed
	return status.FromProto(event.Failure{Code: code.Code_RESOURCE_EXHAUSTED, Reason: event.ReasonTooLarge, Text: text}.Status()).Err()
}

// upload is a message that is received over gRPC.
type upload struct{ *memory.Upload }

// read reads length bytes. How many are counted ahead grows with what has come,
// so that a client that declares much and sends little holds little.
func (u upload) read(w wire, length int64) (all mem.BufferSlice, err error) {
	for came, step := int64(0), int64(memory.WindowBytes); came < length || came == 0; step = 2 * came {
		n := min(step, length-came)
		if err = u.Grow(n); err == nil {
			var part mem.BufferSlice
			part, err = w.Read(int(n))
			all = append(all, part...)
		}
		if err != nil {
			all.Free()
			return nil, err
		}
		if came += n; length == 0 {
			break
		}
	}
	return all, nil
}

// status is the status of a message that could not be read because of err.
func (u upload) status(err error) error {
	err = u.Failed(err)
	if s := memory.Refusal(err); s != nil {
		return status.FromProto(s).Err()
	}
	if s, ok := status.FromError(err); ok {
		return s.Err()
	}
	switch {
	case errors.Is(err, context.Canceled):
		return status.Error(codes.Canceled, "the client cancelled the request")
	case errors.Is(err, context.DeadlineExceeded):
		return ErrLate
	}
	return status.Errorf(codes.InvalidArgument, "the message ended early: %v", err)
}

// ErrLate is the status of a call whose time is over before its message has come.
var ErrLate = status.Error(codes.DeadlineExceeded, "the deadline passed before the message had arrived")

// decompress returns what raw is when decompressed, counting it as it grows.
func (u upload) decompress(name string, raw mem.BufferSlice, limit int64, pool *memory.Pool) (mem.Buffer, error) {
	compressor := encoding.GetCompressor(name)
	if compressor == nil { // a flag without a header grpc-encoding
		return nil, status.Errorf(codes.InvalidArgument,
			"the message is marked as compressed, but the header grpc-encoding is %q", clip.Text(name, 64))
	}
	from, err := compressor.Decompress(raw.Reader())
	if err != nil {
		return nil, status.Errorf(codes.InvalidArgument, "the message cannot be decompressed by %s: %v", name, err)
	}
	data, err := pool.Read(&memory.Reader{From: from, Upload: u.Upload}, -1, limit)
	switch {
	case err == nil:
		return data, nil
	case errors.Is(err, event.ErrTooLarge):
		return nil, tooLarge("the message is larger than %d bytes when decompressed", limit)
	case errors.Is(err, memory.ErrFull):
		return nil, u.status(err)
	}
	return nil, status.Errorf(codes.InvalidArgument, "the message cannot be decompressed by %s: %v", name, err)
}
