package pyrunner_test

import (
	"context"
	"fmt"
	"strings"
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

// A cancel that comes while the task of what a plain handler returned is made cancels it, and
// does not leave it to run during the next request.
func TestACancelFindsTheTaskThatIsBeingMade(t *testing.T) {
	n := start(t, `
def init(ctx):
    loop = asyncio.get_event_loop()
    create = loop.create_task
    def slow(coroutine):
        task = create(coroutine)
        loop.create_task = create
        near, far = socket.socketpair()
        far.setblocking(False)
        signal.set_wakeup_fd(far.fileno())
        tell("creating")
        near.recv(1)
        signal.set_wakeup_fd(-1)
        return task
    loop.create_task = slow
seen = []
async def inner(which):
    if which == "next":
        return StringValue(value=" ".join(seen))
    seen.append("began")
    try:
        await asyncio.sleep(3600)
    finally:
        seen.append("ended")
def handler(ctx, data):
    return inner(text(data))
`, nil)
	ctx, leave := context.WithCancel(t.Context())
	left := make(chan error, 1)
	go func() {
		_, err := n.postContext(ctx, streaming("cancelled", "model"))
		left <- err
	}()
	require.Equal(t, "creating", (<-n.told).text)
	leave()
	require.Error(t, <-left)
	require.Equal(t, "began ended", stringOf(t, n.post(streaming("next", "model")).event))
}

// A thread that outlives its handler ends when it sends, and logs that once.
func TestAThreadThatSendsAfterItsHandler(t *testing.T) {
	n := start(t, `
import threading
def handler(ctx, data):
    def send():
        try:
            threading.main_thread().returned.wait()
            ctx.send(StringValue(value="late"))
        except asyncio.CancelledError as error:
            try:
                ctx.send(StringValue(value="again"))
            except asyncio.CancelledError:
                tell(str(error))
    if text(data) == "first":
        threading.main_thread().returned = threading.Event()
        threading.Thread(target=send).start()
    else:
        threading.main_thread().returned.set()
`, nil)
	for _, request := range []string{"first", "second"} {
		texts, end := n.open(streaming(request, "model")).all()
		require.Empty(t, texts)
		require.Nil(t, end.Failure)
	}
	require.Equal(t, "the handler has already returned", (<-n.told).text)
	n.log.await(t, "message dropped")
	require.Equal(t, 1, strings.Count(n.log.String(), "message dropped"))
}
