package pyrunner_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/genproto/googleapis/rpc/code"

	"krt.dev/kn-krt/pkg/runner/event"
)

// counting are handlers that send the client 0, 1 and 2.
var counting = map[string]string{
	"async generator": `
async def handler(ctx, data):
    for i in range(3):
        yield StringValue(value=str(i))
        await asyncio.sleep(0)
`,
	"generator": `
def handler(ctx, data):
    for i in range(3): yield StringValue(value=str(i))
`,
	"generator that returns": `
def handler(ctx, data):
    for i in range(2): yield StringValue(value=str(i))
    return StringValue(value="2")
`,
	"coroutine that returns an async generator": `
async def handler(ctx, data):
    async def count():
        for i in range(3): yield StringValue(value=str(i))
    return count()
`,
	"coroutine that returns a generator": `
async def handler(ctx, data):
    return (StringValue(value=str(i)) for i in range(3))
`,
	"function that returns an async generator": `
def handler(ctx, data):
    async def count():
        for i in range(3):
            yield StringValue(value=str(i))
            await asyncio.sleep(0)
    return count()
`,
	"function next to a task of init": `
async def tick():
    while True: await asyncio.sleep(0.01)
async def init(ctx): ctx.set("task", asyncio.get_running_loop().create_task(tick()))
def handler(ctx, data):
    async def count():
        for i in range(3): yield StringValue(value=str(i))
    return count()
`,
	"send": `
def handler(ctx, data):
    ctx.send(StringValue(value="0"))
    ctx.send(StringValue(value="1"))
    return StringValue(value="2")
`,
	"awaited send": `
async def handler(ctx, data):
    for i in range(3): await ctx.send(StringValue(value=str(i)))
`,
	"send in a thread": `
async def handler(ctx, data):
    for i in range(3): await asyncio.get_running_loop().run_in_executor(None, ctx.send, StringValue(value=str(i)))
`,
	"class": `
class Handler:
    async def __call__(self, ctx, data):
        for i in range(3): yield StringValue(value=str(i))
handler = Handler()
`,
}

func TestAHandlerStreams(t *testing.T) {
	for name, code := range counting {
		t.Run(name, func(t *testing.T) {
			n := start(t, code, nil)
			for range 2 {
				texts, end := n.open(streaming("x", "model")).all()
				require.Equal(t, []string{"0", "1", "2"}, texts)
				require.Nil(t, end.Failure)
				require.Equal(t, event.OutcomeOK, end.Steps.AppendTo(nil)[0].Outcome)
			}
			// To a Sequence the node does not respond: it posts.
			require.Equal(t, http.StatusAccepted, n.post(streaming("x", "model")).status)
			got := <-n.streams
			require.Equal(t, []string{"0", "1", "2"}, got.texts)
			require.Nil(t, got.end.Failure)
			require.Equal(t, "google.protobuf.StringValue", got.event.Message)
		})
	}
}

// The handler waits at the gate until the client has its first message.
func TestAMessageComesBeforeTheHandlerEnds(t *testing.T) {
	for form, env := range forms {
		t.Run(form, func(t *testing.T) {
			n := start(t, `
def handler(ctx, data):
    yield StringValue(value="first")
    gate = socket.socket(socket.AF_UNIX)
    gate.connect(text(data))
    gate.sendall(b"at the gate\n")
    gate.recv(1)
    yield StringValue(value="second")
`, env)
			gate := make(chan call, 1)
			path, open := listenForGate(t, gate)
			r := n.open(streaming(path, "model"))
			require.Equal(t, "first", r.message())
			<-gate
			open()
			texts, end := r.all()
			require.Equal(t, []string{"second"}, texts)
			require.Nil(t, end.Failure)
		})
	}
}

// A node before the last one sends progress, and its message goes on.
func TestAnEarlierNodeSends(t *testing.T) {
	n := start(t, `
def handler(ctx, data):
    yield StringValue(value="progress")
    ctx.send(StringValue(value="more"))
    return StringValue(value="next")
`, nil)
	a := n.post(streaming("x", "output"))
	require.Equal(t, "next", stringOf(t, a.event))
	require.Equal(t, "output", a.event.Stream.Last)
	got := <-n.streams
	require.Equal(t, []string{"progress", "more"}, got.texts)
	require.True(t, got.end.Next)
}

func TestAnEarlyExitIsTheStream(t *testing.T) {
	n := start(t, `
async def handler(ctx, data):
    ctx.early_exit()
    yield StringValue(value="0")
    yield StringValue(value="1")
`, nil)
	require.Equal(t, http.StatusAccepted, n.post(streaming("x", "output")).status)
	got := <-n.streams
	require.Equal(t, []string{"0", "1"}, got.texts)
	require.Nil(t, got.end.Failure)
	require.False(t, got.end.Next)
}

// After an early reply nobody waits for what the handler yields.
func TestNothingIsSentAfterAnEarlyReply(t *testing.T) {
	n := start(t, `
def handler(ctx, data):
    ctx.early_reply(StringValue(value="reply"))
    yield StringValue(value="late")
    ctx.send(StringValue(value="late"))
    tell("done")
`, nil)
	require.Equal(t, http.StatusAccepted, n.post(streaming("x", "model")).status)
	require.Equal(t, "done", (<-n.told).text)
	require.Equal(t, "reply", stringOf(t, <-n.replies))
	require.Empty(t, n.streams)
}

func TestAnErrorEndsTheStream(t *testing.T) {
	const node = "error in 'model': "
	cases := map[string]struct{ code, text string }{
		"exception": {"raise ValueError('bad')", node + "bad"},
		"another type": {"yield BoolValue(value=True)",
			node + "cannot send: the message is a google.protobuf.BoolValue, the rpc returns a stream of google.protobuf.StringValue"},
		"no message": {"yield 1", node + "handler yielded a int: it must yield protobuf messages"},
		"nothing":    {"yield", node + "handler yielded nothing (None): it must yield protobuf messages"},
		"too large": {"yield StringValue(value='x' * 1000)",
			node + "the message google.protobuf.StringValue has 1003 bytes, the limit is 1000 (max-message-bytes)"},
		"send a string": {"ctx.send('x')", node + "ctx.send takes a protobuf message, not str"},
	}
	for _, kind := range []string{"def", "async def"} {
		t.Run(kind, func(t *testing.T) {
			handler := kind + ` handler(ctx, data):
    yield StringValue(value="0")
    try:
        which = text(data)
`
			for name, c := range cases {
				handler += fmt.Sprintf("        if which == %q: %s\n", name, c.code)
			}
			n := start(t, "from google.protobuf.wrappers_pb2 import BoolValue\n"+handler+`
    finally:
        tell("cleaned")
`, map[string]string{"KRT_MAX_MESSAGE_BYTES": "1000"})
			for name, c := range cases {
				texts, end := n.open(streaming(name, "model")).all()
				require.Equal(t, []string{"0"}, texts, name)
				require.Equal(t, c.text, end.Failure.GetMessage(), name)
				require.Equal(t, "cleaned", (<-n.told).text, name)
			}
		})
	}
}

// A handler may recover from a message that cannot be sent: the error is raised at its yield.
func TestAHandlerSeesWhyAMessageIsRefused(t *testing.T) {
	n := start(t, `
async def handler(ctx, data):
    try:
        yield 1
    except Exception as error:
        yield StringValue(value=str(error))
`, nil)
	texts, end := n.open(streaming("x", "model")).all()
	require.Equal(t, []string{"handler yielded a int: it must yield protobuf messages"}, texts)
	require.Nil(t, end.Failure)
}

func TestAUnaryRPCTakesNoStream(t *testing.T) {
	const unary = "the rpc returns one message, not a stream (or an earlier node of the Sequence was built before streams)"
	for name, c := range map[string]struct{ code, text string }{
		"generator":       {"def handler(ctx, data): yield StringValue()", "the handler yields messages, but " + unary},
		"async generator": {"async def handler(ctx, data): yield StringValue()", "the handler yields messages, but " + unary},
		"send":            {"def handler(ctx, data): ctx.send(StringValue())", "cannot send: " + unary},
	} {
		t.Run(name, func(t *testing.T) {
			got, text := start(t, c.code, nil).failure("x")
			require.Equal(t, "error in 'model': "+c.text, text)
			require.Equal(t, int32(code.Code_INTERNAL), got)
		})
	}
}

// 64 MiB are more than the sockets between hold: the handler goes on only as the client reads.
func TestASlowClientHoldsTheHandler(t *testing.T) {
	n := start(t, `
def handler(ctx, data):
    for i in range(64):
        yield StringValue(value="%d " % i + "x" * (1 << 20))
    tell("done")
`, nil)
	r := n.open(streaming("x", "model"))
	require.True(t, strings.HasPrefix(r.message(), "0 "))
	require.Empty(t, n.told)
	texts, end := r.all()
	require.Nil(t, end.Failure)
	for i, text := range texts {
		require.True(t, strings.HasPrefix(text, fmt.Sprintf("%d ", i+1)))
	}
	require.Len(t, texts, 63)
	require.Equal(t, "done", (<-n.told).text)
}

func TestWorkersStreamAtTheSameTime(t *testing.T) {
	for form, env := range forms {
		t.Run(form, func(t *testing.T) {
			with := map[string]string{"KRT_WORKERS": "2"}
			for name, value := range env {
				with[name] = value
			}
			n := start(t, `
async def handler(ctx, data):
    for i in range(500): yield StringValue(value="%s %d" % (text(data), i))
`, with)
			var clients sync.WaitGroup
			for c := range 6 {
				clients.Go(func() {
					texts, end := n.open(streaming(fmt.Sprint("client ", c), "model")).all()
					if len(texts) != 500 || end.Failure != nil {
						t.Errorf("client %d: %d messages, %v", c, len(texts), end.Failure)
					}
					for i, text := range texts {
						if want := fmt.Sprintf("client %d %d", c, i); text != want {
							t.Errorf("%q, not %q", text, want)
						}
					}
				})
			}
			clients.Wait()
		})
	}
}

func TestADictNodeStreams(t *testing.T) {
	n := startDicts(t, `
def handler(ctx, data):
    yield {"name": data["name"]}
    ctx.send({"name": "sent"})
    return {"name": "last"}
`, nil)
	in := streaming("", "model")
	in.Stream.Message, in.Message, in.Data = "t.Room", "t.Room", []byte{0x0a, 1, 'a'}
	r := n.open(in)
	for _, want := range []string{"\x0a\x01a", "\x0a\x04sent", "\x0a\x04last"} {
		payload, end := r.frame()
		require.False(t, end)
		require.Equal(t, want, string(payload))
	}
	_, end := r.next()
	require.Nil(t, end.Failure)
}

func TestADictThatIsNotTheOutputEndsTheStream(t *testing.T) {
	n := startDicts(t, `
def handler(ctx, data):
    yield {"name": data["name"]}
    yield {"nam": "typo"}
`, nil)
	in := streaming("", "model")
	in.Stream.Message, in.Message, in.Data = "t.Room", "t.Room", []byte{0x0a, 1, 'a'}
	r := n.open(in)
	payload, _ := r.frame()
	require.Equal(t, "\x0a\x01a", string(payload))
	_, end := r.next()
	require.Equal(t, `error in 'model': t.Room has no field "nam": it has name, beds, price, rooms`, end.Failure.GetMessage())
}

// A worker that dies in the middle of a stream ends it with an error that may be retried by
// the client; the node's next worker serves.
func TestADeadWorkerEndsItsStream(t *testing.T) {
	n := start(t, `
def handler(ctx, data):
    yield StringValue(value="0")
    if text(data) == "die": os.kill(os.getpid(), signal.SIGKILL)
`, nil)
	texts, end := n.open(streaming("die", "model")).all()
	if strings.Contains(end.Failure.GetMessage(), unseen) {
		texts, end = n.open(streaming("die", "model")).all()
	}
	require.Equal(t, []string{"0"}, texts)
	require.Equal(t, int32(code.Code_UNAVAILABLE), end.Failure.GetCode())
	require.Equal(t, "error in 'model': worker exited: signal: killed", end.Failure.GetMessage())
	texts, end = n.open(streaming("x", "model")).all()
	require.Equal(t, []string{"0"}, texts)
	require.Nil(t, end.Failure)
}
