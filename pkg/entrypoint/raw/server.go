package raw

import (
	"math"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/encoding"
	_ "google.golang.org/grpc/encoding/gzip" // clients may compress
	"google.golang.org/grpc/keepalive"

	"krt.dev/kn-krt/pkg/entrypoint/memory"
	"krt.dev/kn-krt/pkg/entrypoint/web"
)

// grpcStreams bounds the requests at once on a connection.
const grpcStreams = 1000

// streamWorkers is how many goroutines wait for requests: the stack of a new one is copied several times
// in each.
const streamWorkers = 64

// maxOwnBytes bounds a message to the services of the entrypoint itself.
const maxOwnBytes = 64 << 10

// NewServer returns a server of any proto: calls arrive at handle as raw bytes and are never decoded
// here. A connection lives for age, and what is in flight then for grace.
func NewServer(handle grpc.StreamHandler, age, grace time.Duration) *grpc.Server {
	return grpc.NewServer(
		grpc.ForceServerCodecV2(Codec{CodecV2: encoding.GetCodecV2("proto")}),
		grpc.UnknownServiceHandler(handle),
		grpc.MaxRecvMsgSize(maxOwnBytes),   // of our own services; see Receiver for the version's
		grpc.MaxSendMsgSize(math.MaxInt32), // responses are bounded where they come in
		grpc.MaxConcurrentStreams(grpcStreams),
		grpc.MaxHeaderListSize(web.FatalHeaderBytes),
		grpc.InTapHandle(CheckHeader),
		// What a client may send of a message before it is read, whatever the
		// connection's bandwidth: more is counted first.
		grpc.StaticStreamWindowSize(memory.WindowBytes),
		grpc.StaticConnWindowSize(16*memory.WindowBytes),
		grpc.NumStreamWorkers(streamWorkers),
		grpc.ConnectionTimeout(web.ReadHeaderTimeout),
		grpc.WaitForHandlers(true),
		grpc.KeepaliveParams(keepalive.ServerParameters{
			MaxConnectionAge:      web.GRPCAge(age),
			MaxConnectionAgeGrace: grace,
			MaxConnectionIdle:     web.IdleTimeout,
			Time:                  time.Minute,
			Timeout:               20 * time.Second,
		}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 10 * time.Second, PermitWithoutStream: true}),
	)
}
