// Package runner is the Go SDK of KRT nodes: it is linked into the node's program,
// receives the node's events over HTTP, and calls the node's handler for each.
//
// A node is a main package with one line:
//
//	func main() { runner.Start(handlerInit, handler) }
//
// handlerInit runs once, before the node is ready, and handler once for each event:
//
//	func handlerInit(ctx *runner.HandlerContext) { ctx.Set("greeting", "Hello") }
//
//	func handler(ctx *runner.HandlerContext, data *anypb.Any) (proto.Message, error) {
//		in := &pb.Request{}
//		if err := data.UnmarshalTo(in); err != nil {
//			return nil, err
//		}
//		return &pb.Response{Text: ctx.GetString("greeting") + " " + in.Name}, nil
//	}
//
// The names are those of KRT V1's kre-go: to move a node, change its import.
// Handlers run concurrently, one goroutine per event, each with its own
// [HandlerContext]; what Set stores is shared by all of them.
//
// Package runnertest tests a handler in three lines.
package runner
