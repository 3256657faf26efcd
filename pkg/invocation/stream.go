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
	if err := send(stream, request); err != nil {
		return newResult(begin, nil, nil), err
	}
	var messages int
	for {
		message := dynamicpb.NewMessage(m.Desc.Output())
		if err = stream.RecvMsg(message); err != nil {
			break
		}
		messages++
		if own := each(message); own != nil { // the trailer has not come, and may not be read
			r := newResult(begin, nil, nil)
			r.Messages = messages
			return r, own
		}
	}
	header, _ := stream.Header() // an error is that of RecvMsg
	r := newResult(begin, header, stream.Trailer())
	r.Messages = messages
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return r, err
}

// send sends the one request. Of a stream that has ended already, RecvMsg has the status.
func send(stream grpc.ClientStream, request proto.Message) error {
	if err := stream.SendMsg(request); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	return stream.CloseSend()
}
