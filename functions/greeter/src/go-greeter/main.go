// Command go-greeter is a node in Go: it greets whoever the request names.
package main

import (
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"krt.dev/kn-krt/pkg/runner"

	pb "krt.dev/kn-krt/functions/greeter/src/go-greeter/proto"
)

func main() {
	runner.Start(handlerInit, handler)
}

// handlerInit runs once, before the node is ready.
func handlerInit(ctx *runner.HandlerContext) {
	ctx.Set("greeting", "Hello")
}

func handler(ctx *runner.HandlerContext, data *anypb.Any) (proto.Message, error) {
	req := &pb.Request{}
	if err := data.UnmarshalTo(req); err != nil {
		return nil, fmt.Errorf("cannot read the request: %w", err)
	}
	if req.GetName() == "" {
		return nil, errors.New("no name to greet")
	}
	return &pb.Response{
		Greeting:  fmt.Sprintf("%s, %s!", ctx.GetString("greeting"), req.GetName()),
		GreetedBy: "go-greeter",
	}, nil
}
