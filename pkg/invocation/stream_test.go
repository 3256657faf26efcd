package invocation_test

import (
	"context"
	"errors"
	"net"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/dynamicpb"
	"google.golang.org/protobuf/types/known/emptypb"

	"krt.dev/kn-krt/pkg/invocation"
	"krt.dev/kn-krt/pkg/schema"
)

// count serves a stream of empty messages that fails after three of them, and returns how it is called.
func count(t *testing.T, ended chan<- error) (*invocation.Connection, invocation.Method) {
	t.Helper()
	s, err := schema.Compile(t.Context(), fstest.MapFS{"p.proto": {Data: []byte(
		`syntax = "proto3"; package p; message M {} service S { rpc Count(M) returns (stream M); }`)}}, "p.proto", schema.Options{})
	require.NoError(t, err)
	desc, err := s.Method("Count")
	require.NoError(t, err)
	server := grpc.NewServer(grpc.UnknownServiceHandler(func(_ any, stream grpc.ServerStream) error {
		if err := stream.RecvMsg(&emptypb.Empty{}); err != nil {
			return err
		}
		if ended != nil {
			for err := error(nil); ; err = stream.SendMsg(&emptypb.Empty{}) {
				if err != nil {
					ended <- stream.Context().Err()
					return err
				}
			}
		}
		stream.SetTrailer(metadata.Pairs("krt-correlation-id", "4f0c"))
		for range 3 {
			if err := stream.SendMsg(&emptypb.Empty{}); err != nil {
				return err
			}
		}
		return status.Error(codes.Internal, "no more")
	}))
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(server.Stop)
	c, err := invocation.Dial(listener.Addr().String(), invocation.Credentials{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	return c, invocation.Method{Desc: desc, Types: dynamicpb.NewTypes(s.Registry())}
}

func TestStreamHasWhatCameBeforeTheError(t *testing.T) {
	c, m := count(t, nil)
	var got int
	r, err := c.Stream(t.Context(), m, invocation.Wish{}, &emptypb.Empty{}, func(*dynamicpb.Message) error { got++; return nil })
	require.Equal(t, codes.Internal, status.Code(err))
	require.Equal(t, 3, got)
	require.Equal(t, 3, r.Messages)
	require.Equal(t, "4f0c", r.ID)
}

// The server of a stream that its reader ends is cancelled, however much it would still send.
func TestStreamEndsWhenItsReaderDoes(t *testing.T) {
	ended := make(chan error, 1)
	c, m := count(t, ended)
	own := errors.New("enough")
	r, err := c.Stream(t.Context(), m, invocation.Wish{}, &emptypb.Empty{}, func(*dynamicpb.Message) error { return own })
	require.Equal(t, own, err)
	require.Equal(t, 1, r.Messages)
	require.Equal(t, context.Canceled, <-ended)
}
