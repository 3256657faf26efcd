package pyrunner_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/genproto/googleapis/rpc/code"

	"krt.dev/kn-krt/pkg/runner/event"
)

func TestHandlerAnswers(t *testing.T) {
	for name, code := range map[string]string{
		"plain":            "def handler(ctx, data): return StringValue(value='hi ' + text(data))",
		"async":            "async def handler(ctx, data): return StringValue(value='hi ' + text(data))",
		"async that waits": "async def handler(ctx, data):\n    await asyncio.sleep(0)\n    return StringValue(value='hi ' + text(data))",
		"plain that gives async": "async def inner(data):\n    await asyncio.sleep(0)\n    return StringValue(value='hi ' + text(data))\n" +
			"def handler(ctx, data): return inner(data)",
		"async object": "class H:\n    async def __call__(self, ctx, data): return StringValue(value='hi ' + text(data))\n" +
			"handler = H()",
		"async with a background": "async def tick():\n    while True: await asyncio.sleep(0.001)\n" +
			"async def handler(ctx, data):\n    asyncio.create_task(tick())\n    return StringValue(value='hi ' + text(data))",
	} {
		t.Run(name, func(t *testing.T) {
			n := start(t, code, nil)
			for range 3 {
				require.Equal(t, "hi bob", n.text("bob"))
			}
		})
	}
}

func TestAnswerIsTheNextEvent(t *testing.T) {
	n := start(t, "def handler(ctx, data): return StringValue(value='x')", nil)
	in := request("bob")
	out := n.post(in).event
	require.Equal(t, event.TypeMessage, out.Type)
	require.Equal(t, "/krt/ns/v1/model", out.Source)
	require.Equal(t, in.ID, out.CausationID)
	require.Equal(t, in.CorrelationID, out.CorrelationID)
	require.Equal(t, in.Trace, out.Trace)
}

func TestContextOfACall(t *testing.T) {
	n := start(t, `
def init(ctx):
    ctx.set("greeting", "hello")
    ctx.set("init workflow", ctx.workflow)
def handler(ctx, data):
    try: ctx.get("nothing")
    except AttributeError as e: missing = str(e)
    parts = [ctx.get("greeting"), ctx.get("init workflow"), ctx.workflow, ctx.request_id, ctx.path("models/x"),
             os.getcwd(), ctx.deadline.isoformat(), ctx.node, ctx.version, ctx.traceparent, missing,
             str(ctx.trace_parent == ctx.traceparent)]
    return StringValue(value="|".join(parts))
`, nil)
	in := request("")
	in.Deadline = mustTime(t, "2099-01-02T03:04:05.5Z")
	out := n.post(in).event
	step, _ := out.Steps.Last()
	require.Equal(t, strings.Join([]string{
		"hello", "only", "wf", "c1", n.dir + "/models/x", n.dir, "2099-01-02T03:04:05.500000+00:00",
		"model", "v1", in.Trace.Child(step.SpanID).Parent, "ctx.get('nothing'): no value was set under this key", "True",
	}, "|"), stringOf(t, out))
}

func TestEarlyReplyThenResult(t *testing.T) {
	for name, reply := range map[string]string{"early_reply": "early_reply", "reply": "reply"} {
		t.Run(name, func(t *testing.T) {
			n := start(t, fmt.Sprintf(`
async def handler(ctx, data):
    await ctx.%s(StringValue(value="first"))
    try: await ctx.%s(StringValue(value="dropped"))
    except Exception as e: return StringValue(value=str(e))
`, reply, reply), nil)
			require.Equal(t, "error the message was replied previously", n.text("x"))
			early := <-n.replies
			require.Equal(t, event.TypeReply, early.Type)
			require.Equal(t, "token", early.ReplyToken)
			require.Equal(t, "first", stringOf(t, early))
			require.Empty(t, n.replies)
		})
	}
}

// The early reply must be there before the handler ends, not with its result.
func TestEarlyReplyIsPostedAtOnce(t *testing.T) {
	n := start(t, `
def handler(ctx, data):
    ctx.early_reply(StringValue(value="first"))
    gate = socket.socket(socket.AF_UNIX)
    gate.connect(text(data))
    gate.recv(1)
    return StringValue(value="second")
`, nil)
	gate := make(chan call, 1)
	path := listenForCalls(t, gate)
	done := make(chan answer, 1)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		a, _ := n.postContext(ctx, request(path))
		done <- a
	}()
	require.Equal(t, "first", stringOf(t, <-n.replies))
	cancel() // nothing opens the gate: the call is cancelled
	<-done
}

func TestEarlyExit(t *testing.T) {
	for name, code := range map[string]string{
		"set_early_exit":     "def handler(ctx, data):\n    ctx.set_early_exit()\n    return StringValue(value='exit')",
		"early_exit":         "async def handler(ctx, data):\n    await ctx.early_exit()\n    return StringValue(value='exit')",
		"early_exit(answer)": "def handler(ctx, data): ctx.early_exit(StringValue(value='exit'))",
	} {
		t.Run(name, func(t *testing.T) {
			n := start(t, code, nil)
			require.Equal(t, http.StatusAccepted, n.post(request("x")).status)
			exit := <-n.replies
			require.Equal(t, event.TypeReply, exit.Type)
			require.Equal(t, "exit", stringOf(t, exit))
		})
	}
}

func TestEarlyExitAfterEarlyReplyNeedsNoMessage(t *testing.T) {
	n := start(t, "def handler(ctx, data):\n    ctx.early_reply(StringValue(value='r'))\n    ctx.early_exit()", nil)
	require.Equal(t, http.StatusAccepted, n.post(request("x")).status)
	require.Equal(t, "r", stringOf(t, <-n.replies))
	require.Empty(t, n.replies)
}

func TestHandlerFailures(t *testing.T) {
	const node = "error in 'model': "
	for name, c := range map[string]struct {
		code string
		want code.Code
		text string
	}{
		"error":         {"raise ValueError('bad input')", code.Code_INTERNAL, node + "bad input"},
		"without text":  {"raise KeyError()", code.Code_INTERNAL, node + "KeyError"},
		"exit":          {"sys.exit(3)", code.Code_INTERNAL, node + "3"},
		"no str":        {"class E(Exception):\n        def __str__(self): raise Exception()\n    raise E()", code.Code_INTERNAL, node + "E"},
		"surrogates":    {"raise ValueError('\\ud800')", code.Code_INTERNAL, node + "?"},
		"nothing":       {"return None", code.Code_INTERNAL, node + "handler returned nothing (None): it must return a protobuf message"},
		"no message":    {"return {'a': 1}", code.Code_INTERNAL, node + "handler returned a dict: it must return a protobuf message"},
		"exit, nothing": {"ctx.early_exit()", code.Code_INTERNAL, node + "handler returned nothing (None): it must return a protobuf message"},
		"too large": {"return StringValue(value='x' * 2000)", code.Code_RESOURCE_EXHAUSTED,
			node + "the message google.protobuf.StringValue has 2003 bytes, the limit is 1000 (max-message-bytes)"},
		"reply of text": {"ctx.reply('x')", code.Code_INTERNAL, node + "ctx.early_reply takes a protobuf message, not str"},
		"runner 3": {"getattr(ctx, 'send_' + 'output')", code.Code_INTERNAL,
			node + "ctx.send_output belongs to runner 3 (KRT v2): this node needs a handler that returns its message"},
		"cancelled error": {"raise asyncio.CancelledError()", code.Code_INTERNAL, node + "CancelledError"},
	} {
		for _, kind := range []string{"def", "async def"} {
			t.Run(name+" "+kind, func(t *testing.T) {
				n := start(t, kind+" handler(ctx, data):\n    "+c.code, map[string]string{"KRT_MAX_MESSAGE_BYTES": "1000"})
				got, text := n.failure("x")
				require.Equal(t, c.text, text)
				require.Equal(t, int32(c.want), got)
			})
		}
	}
}

func TestFailureWithoutReplyPort(t *testing.T) {
	n := start(t, "def handler(ctx, data): raise ValueError('bad')", map[string]string{"KRT_REPLY_URL": ""})
	a := n.post(request("x"))
	require.Equal(t, http.StatusInternalServerError, a.status)
	require.Equal(t, "error in 'model': bad", a.body)
}

func TestLargeMessages(t *testing.T) {
	n := start(t, "def handler(ctx, data): return StringValue(value=text(data)[::-1])", nil)
	for _, size := range []int{0, 1, 64 << 10, 1 << 20, 4<<20 - 16} {
		s := strings.Repeat("a", size) + "b"
		require.Equal(t, "b"+strings.Repeat("a", size), n.text(s))
	}
}

func TestConcurrentCallersGetTheirOwnAnswers(t *testing.T) {
	n := start(t, "async def handler(ctx, data):\n    await asyncio.sleep(0)\n    return StringValue(value=text(data))",
		map[string]string{"KRT_WORKERS": "3"})
	var callers sync.WaitGroup
	for i := range 60 {
		callers.Go(func() {
			in := request(fmt.Sprint("caller ", i))
			a, err := n.postContext(t.Context(), in)
			if err != nil || a.event == nil || string(a.event.Data) != string(in.Data) {
				t.Errorf("caller %d: %+v %v", i, a, err)
			}
		})
	}
	callers.Wait()
}

func TestWorkerProcessesServeAtTheSameTime(t *testing.T) {
	n := start(t, `
def handler(ctx, data):
    tell(str(os.getpid()))
    told[-1].recv(1)
`, map[string]string{"KRT_WORKERS": "3"})
	ctx, cancel := context.WithCancel(t.Context())
	var callers sync.WaitGroup
	for range 3 {
		callers.Go(func() { _, _ = n.postContext(ctx, request("x")) })
	}
	pids := map[string]bool{}
	for range 3 {
		pids[(<-n.told).text] = true
	}
	require.Len(t, pids, 3)
	cancel()
	callers.Wait()
}

// A handler has nothing to return once the caller has been answered, be it by a
// node before.
func TestNoneBehindAReplyIsNoError(t *testing.T) {
	n := start(t, `
def handler(ctx, data):
    if text(data) == "reply": ctx.early_reply(StringValue(value="first"))
`, nil)
	require.Equal(t, http.StatusAccepted, n.post(request("reply")).status)
	require.Equal(t, event.TypeReply, (<-n.replies).Type)
	later := request("later")
	later.Replied = true
	require.Equal(t, http.StatusAccepted, n.post(later).status)
	_, text := n.failure("neither")
	require.Equal(t, "error in 'model': handler returned nothing (None): it must return a protobuf message", text)
	require.Equal(t, 2, strings.Count(n.log.String(), "after its reply"))
}
