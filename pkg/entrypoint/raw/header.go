package raw

import (
	"context"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/tap"

	"krt.dev/kn-krt/pkg/entrypoint/memory"
	"krt.dev/kn-krt/pkg/entrypoint/traffic"
	"krt.dev/kn-krt/pkg/entrypoint/web"
)

// longHeader is the context key of the size, an int64, of a call's header that is
// larger than memory.SmallHeader.
type longHeader struct{}

// forwardedBytes is how much longer the metadata of a call may be that another entrypoint, which has
// checked it, forwards: it adds its mark and the name of its library.
const forwardedBytes = 1 << 10

// CheckHeader refuses a call whose header is too long. It ends that call alone, and
// not the others on its connection.
func CheckHeader(ctx context.Context, call *tap.Info) (context.Context, error) {
	n, limit := memory.HeaderBytes(call.Header), web.MaxHeaderBytes
	if len(call.Header[traffic.Metadata]) > 0 {
		limit += forwardedBytes
	}
	switch {
	case n > limit:
		return ctx, status.Errorf(codes.ResourceExhausted, "the metadata has %d bytes, the limit is %d", n, limit)
	case n > memory.SmallHeader:
		return context.WithValue(ctx, longHeader{}, int64(n)), nil
	}
	return ctx, nil
}

// LongHeader returns the size of the header of a call that [CheckHeader] has accepted, if it is to be
// counted.
func LongHeader(ctx context.Context) (n int64, long bool) {
	n, long = ctx.Value(longHeader{}).(int64)
	return n, long
}

// Sending counts data as unsent until gRPC has sent it on the connection of
// ctx's call; nil if that is closed.
func Sending(ctx context.Context, data mem.Buffer) mem.Buffer {
	if c := memory.ConnectionOf(ctx); c != nil {
		return c.Sending(data)
	}
	return data
}

const (
	// traceMetadata is the metadata by which a client asks for StepsTrailer, with the value 1.
	traceMetadata = "krt-trace"
	// StepsTrailer is the trailer with the steps, as the attribute krtsteps has them. Its first entry is the
	// request itself, of the node "entrypoint": when it was admitted, and how long its response took.
	StepsTrailer = "krt-steps"
)

// WantsSteps reports whether the client of ctx's call wants to have the steps.
func WantsSteps(ctx context.Context) bool {
	values := metadata.ValueFromIncomingContext(ctx, traceMetadata)
	return len(values) == 1 && values[0] == "1"
}
