package pyrunner_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// endlessStreams are what generators do that end only when they are cancelled.
var endlessStreams = map[string]string{
	"compute":   "time.sleep(3600)",
	"yield":     "while True: yield big",
	"send":      "while True: ctx.send(big)",
	"yield few": "while True: yield StringValue(value='x')",
}

// endlessAsync are those of asynchronous generators alone.
var endlessAsync = map[string]string{
	"wait":          "await asyncio.sleep(3600)",
	"awaited send":  "while True: await ctx.send(big)",
	"yield or wait": "while True:\n                yield big\n                await asyncio.sleep(0)",
}

// endlessStream is a generator called name that sends a message and then does what the
// request names. It tells the test when it is cancelled.
func endlessStream(kind, name string, bodies ...map[string]string) string {
	code := kind + " " + name + `(ctx, data):
    big = StringValue(value="x" * 3000000)
    which = text(data)
    try:
        yield StringValue(value=str(os.getpid()))
`
	for _, some := range bodies {
		for request, body := range some {
			code += fmt.Sprintf("        if which == %q:\n            %s\n", request, body)
		}
	}
	return code + `
    except asyncio.CancelledError:
        tell("cancelled")
        raise
`
}

// leave has clients read one message and leave. Where the handler is by then differs: while
// it sends, half of a frame may be in the socket, and the rest must follow.
func (n *node) leave(bodies ...map[string]string) {
	var pid string
	for _, some := range bodies {
		for request := range some {
			for range 3 {
				r := n.open(streaming(request, "model"))
				first := r.message()
				r.leave()
				require.Equal(n.t, "cancelled", (<-n.told).text)
				if pid == "" {
					pid = first
				}
				require.Equal(n.t, pid, first, "%s: the worker lives on", request)
			}
		}
	}
}

func TestAClientThatLeavesCancelsTheStream(t *testing.T) {
	for form, env := range forms {
		t.Run("plain "+form, func(t *testing.T) {
			start(t, endlessStream("def", "handler", endlessStreams), env).leave(endlessStreams)
		})
		t.Run("async "+form, func(t *testing.T) {
			start(t, endlessStream("async def", "handler", endlessStreams, endlessAsync), env).leave(endlessStreams, endlessAsync)
		})
	}
}

// What a plain function returns is awaited in a task of its own, which is cancelled.
func TestACancelReachesWhatAPlainHandlerReturned(t *testing.T) {
	n := start(t, endlessStream("async def", "inner", endlessStreams, endlessAsync)+
		"\ndef handler(ctx, data): return inner(ctx, data)\n", nil)
	n.leave(endlessStreams, endlessAsync)
}
