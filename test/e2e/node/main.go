// Command node is the node of the versions that the tests make: it answers by
// the version's name and with the payload it got, or passes the request on where
// that names another node as the last.
package main

import (
	"cmp"
	"os"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"krt.dev/kn-krt/pkg/runner"
	"krt.dev/kn-krt/test/conformance/node"
)

func main() { runner.Start(handlerInit, handler) }

// handlerInit fails where CRASH says so.
func handlerInit(*runner.HandlerContext) {
	if text := os.Getenv("CRASH"); text != "" {
		panic(text)
	}
}

func handler(ctx *runner.HandlerContext, data *anypb.Any) (proto.Message, error) {
	in := &node.Request{}
	if err := data.UnmarshalTo(in); err != nil {
		return nil, err
	}
	if last := in.GetLast(); last != "" && last != ctx.Node() {
		return in, nil
	}
	return &node.Reply{Text: cmp.Or(os.Getenv("SAYS"), ctx.Version()), Payload: in.GetPayload()}, nil
}
