package traffic

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"

	"google.golang.org/genproto/googleapis/rpc/code"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding"
	_ "google.golang.org/grpc/encoding/proto" // whose codec raw replaces
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"krt.dev/kn-krt/pkg/entrypoint/memory"
)

// Forward forwards a call over gRPC that the canary is to serve, and passes its response on to
// stream. It reports false if the published version has to serve the call. The data is to be sent,
// or the error to be returned: a status.
func (q *Request) Forward(stream grpc.ServerStream, c Call) (served bool, data mem.Buffer, err error) {
	client := stream.Context()
	ctx, cancel := q.during(client, q.divider.options.Timeout, 0)
	defer cancel()
	if c.AtOnce {
		c.begun = func(header metadata.MD) { _ = stream.SendHeader(header) }
	}
	reply, served := q.call(ctx, c)
	if !served {
		return false, nil, nil
	}
	if reply.failure != nil && ctx.Err() != nil && len(reply.failure.GetDetails()) == 0 {
		reply.failure = q.gaveUp(client)
	}
	q.forwarded(code.Code(reply.failure.GetCode()))
	stream.SetTrailer(reply.trailer)
	if reply.failure != nil {
		return true, nil, status.FromProto(reply.failure).Err()
	}
	_ = stream.SetHeader(reply.header)
	return true, reply.data, nil
}

// Call is a call of an rpc.
type Call struct {
	// Method is "/pkg.Service/Method", Data the message, not compressed.
	Method string
	Data   []byte
	// AtOnce is that the client gets the header of the response as soon as it is there. Then the
	// published version cannot serve the call any more.
	AtOnce bool

	begun func(metadata.MD)
}

// reply is a canary's response to a call.
type reply struct {
	header, trailer metadata.MD
	data            mem.Buffer  // to be freed; nil if failure is not
	failure         *spb.Status // not nil: there is no message
}

// call forwards a call with the metadata of ctx. It reports false if the published version has to
// serve it: the canary is not available, or has not begun to serve it.
func (q *Request) call(ctx context.Context, c Call) (*reply, bool) {
	budget := q.divider.options.Budget
	size := int64(len(c.Data))
	if !budget.Reserve(size) {
		return nil, false
	}
	defer budget.Release(size)
	conn, late := q.connect(ctx)
	if conn == nil {
		return &reply{failure: late}, late != nil
	}
	begun := false
	if report := c.begun; report != nil {
		c.begun = func(header metadata.MD) {
			begun = true
			report(header)
		}
	}
	r := q.divider.exchange(outgoing(ctx), conn, c, q.divider.own(c.Data))
	refusal := len(r.trailer[Metadata]) > 0
	delete(r.trailer, Metadata)
	if r.failure == nil || begun || ctx.Err() != nil {
		return r, true
	}
	return r, q.accepts(r.failure, refusal)
}

// connect returns a connection to the canary. Without one the published version has to serve the
// call, unless its time is over, which late says.
func (q *Request) connect(ctx context.Context) (conn *grpc.ClientConn, late *spb.Status) {
	conn = q.state.peer.connection(ctx)
	switch {
	case conn == nil && ctx.Err() != nil:
		return nil, status.FromContextError(ctx.Err()).Proto()
	case conn == nil:
		q.fallBack("no connection can be made to " + q.state.GRPC)
	}
	return conn, nil
}

// accepts reports whether a failure of the canary, before which the client has got nothing, is the
// client's. Else the published version has to serve the call. Refusal says that no work was done.
func (q *Request) accepts(failure *spb.Status, refusal bool) bool {
	switch code.Code(failure.GetCode()) {
	case code.Code_UNAVAILABLE:
		q.fallBack(failure.GetMessage())
		return false
	case code.Code_RESOURCE_EXHAUSTED, code.Code_UNAUTHENTICATED: // the published version has accepted the credentials
		if refusal {
			q.fallBack(failure.GetMessage())
		}
	}
	return !refusal
}

// exchange calls the rpc over conn with the outgoing metadata of ctx, and with data, which it uses up.
func (d *Divider) exchange(ctx context.Context, conn *grpc.ClientConn, c Call, data mem.Buffer) *reply {
	r := &reply{}
	message, err := c.invoke(ctx, conn, data, r)
	defer message.Free()
	if err == nil {
		if r.data, err = d.keep(message); err != nil {
			err = status.FromProto(memory.Refusal(err)).Err()
		}
	}
	if err != nil {
		r.failure = status.Convert(err).Proto()
	}
	delete(r.trailer, "grpc-status-details-bin") // it is in the failure
	return r
}

// invoke sends data, and returns the message of the response, which is to be freed in any case. The
// rest of the response is in r.
func (c *Call) invoke(ctx context.Context, conn *grpc.ClientConn, data mem.Buffer, r *reply) (message mem.BufferSlice, err error) {
	if c.begun == nil { // without the goroutine that gRPC starts for each stream
		err = conn.Invoke(ctx, c.Method, mem.BufferSlice{data}, &message, grpc.Header(&r.header), grpc.Trailer(&r.trailer))
		r.header = responseHeader(r.header)
		return message, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := conn.NewStream(ctx, &grpc.StreamDesc{}, c.Method)
	if err != nil {
		return nil, err
	}
	err = stream.SendMsg(mem.BufferSlice{data})
	if err == nil || errors.Is(err, io.EOF) { // the reason comes with the response
		if header, bad := stream.Header(); bad == nil && len(header) > 0 {
			c.begun(responseHeader(header))
		}
		err = stream.RecvMsg(&message)
	}
	r.trailer = stream.Trailer()
	return message, err
}

// keep returns a message in a buffer that is counted. The error is [memory.ErrFull].
func (d *Divider) keep(message mem.BufferSlice) (mem.Buffer, error) {
	o := &d.options
	if !o.Budget.HasRoom(int64(message.Len())) {
		return nil, memory.ErrFull
	}
	room := o.Buffers.Get(message.Len())
	message.CopyTo(*room)
	return mem.NewBuffer(room, o.Buffers), nil
}

// own returns a copy of data, which is counted by whoever sends it: gRPC may keep what it sends for
// longer than the call lasts.
func (d *Divider) own(data []byte) mem.Buffer {
	room := d.sent.Get(len(data))
	copy(*room, data)
	return mem.NewBuffer(room, d.sent)
}

// outgoing is ctx with the metadata of the client, but what gRPC makes itself.
func outgoing(ctx context.Context) context.Context {
	in, _ := metadata.FromIncomingContext(ctx) // a copy
	return metadata.NewOutgoingContext(ctx, forwarding(in))
}

// forwarding makes the metadata of a request that with which it is forwarded: without what gRPC does
// not send, for which it would refuse the call. It changes it.
func forwarding(of metadata.MD) metadata.MD {
	if of == nil {
		of = metadata.MD{}
	}
	for name, values := range of {
		switch {
		case ofTransport(name), name == MetadataMirror, strings.ContainsFunc(name, notInName):
			delete(of, name)
		case !strings.HasSuffix(name, "-bin"):
			of[name] = slices.DeleteFunc(values, unprintable)
		}
	}
	of[Metadata] = []string{"1"}
	return of
}

// Mirrored reports whether the call of ctx is a copy that another entrypoint has made.
func Mirrored(ctx context.Context) bool {
	return len(metadata.ValueFromIncomingContext(ctx, MetadataMirror)) > 0
}

// ofTransport reports whether metadata belongs to the transport and not to the application.
func ofTransport(name string) bool {
	switch name {
	case "content-type", "user-agent", "te", "connection", "host":
		return true
	}
	return strings.HasPrefix(name, ":") || strings.HasPrefix(name, "grpc-")
}

// responseHeader is the header of a response without what gRPC makes itself.
func responseHeader(header metadata.MD) metadata.MD {
	for name := range header {
		if ofTransport(name) {
			delete(header, name)
		}
	}
	return header
}

// Forwarded reports whether another entrypoint has forwarded the call of ctx.
func Forwarded(ctx context.Context) bool {
	return len(metadata.ValueFromIncomingContext(ctx, Metadata)) > 0
}

// Refused is the trailer of a forwarded call that no work has been done for: the published
// version serves it, or refuses it too.
func Refused() metadata.MD { return metadata.Pairs(Metadata, refused) }

// raw passes messages as their bytes.
type raw struct{ encoding.CodecV2 }

// Marshal implements encoding.CodecV2.
func (c raw) Marshal(v any) (mem.BufferSlice, error) {
	if data, ok := v.(mem.BufferSlice); ok {
		return data, nil
	}
	return nil, status.Errorf(codes.Internal, "cannot send a %T", v)
}

// Unmarshal implements encoding.CodecV2.
func (c raw) Unmarshal(data mem.BufferSlice, v any) error {
	to, ok := v.(*mem.BufferSlice)
	if !ok {
		return status.Errorf(codes.Internal, "cannot receive a %T", v)
	}
	data.Ref()
	*to = data
	return nil
}
