package invocation

import (
	"context"
	"errors"
	"io"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/dynamicpb"
)

// Stream sends request to an rpc that returns a stream, and calls each with every message when it
// comes; it does not receive the next one before that has returned. The error is each's own, which
// ends the call, or a gRPC status; what is known of the call is in the result then, too.
func (c *Connection) Stream(
	ctx context.Context, m Method, w Wish, request proto.Message, each func(*dynamicpb.Message) error,
) (Result, error) {
	ctx, cancel := context.WithCancel(w.asked(ctx))
	defer cancel()
	begin := time.Now()
	stream, err := c.conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true}, m.Path())
	if err != nil {
		return newResult(begin, nil, nil), err
	}
	messages, err := exchange(stream, m, request, each)
	header, failed := stream.Header()
	if failed != nil {
		header = nil
	}
	r := newResult(begin, header, stream.Trailer())
	r.Messages = messages
	return r, err
}

// exchange sends request and reads the response to its end.
func exchange(stream grpc.ClientStream, m Method, request proto.Message, each func(*dynamicpb.Message) error) (messages int, err error) {
	// Of a stream that has ended already, RecvMsg has the status.
	if err := stream.SendMsg(request); err != nil && !errors.Is(err, io.EOF) {
		return 0, err
	}
	if err := stream.CloseSend(); err != nil {
		return 0, err
	}
	for {
		message := dynamicpb.NewMessage(m.Desc.Output())
		if err := stream.RecvMsg(message); err != nil {
			if errors.Is(err, io.EOF) {
				err = nil
			}
			return messages, err
		}
		messages++
		if err := each(message); err != nil {
			return messages, err
		}
	}
}
