// Command step is a node that does next to nothing: it notes its name in the
// message and hands it on. What a chain of it costs is the platform's cost.
package main

import (
	"fmt"
	"os"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"krt.dev/kn-krt/pkg/runner"

	pb "chain/proto"
)

func main() {
	runner.Start(handlerInit, handler)
}

func handlerInit(ctx *runner.HandlerContext) {
	ctx.Set("node", os.Getenv("KRT_NODE_NAME"))
}

func handler(ctx *runner.HandlerContext, data *anypb.Any) (proto.Message, error) {
	payload := &pb.Payload{}
	if err := data.UnmarshalTo(payload); err != nil {
		return nil, fmt.Errorf("cannot read the payload: %w", err)
	}
	payload.Hops = append(payload.Hops, ctx.GetString("node"))
	return payload, nil
}
