package pyrunner_test

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/pyrunner"
)

// What init leaves is there for the handler: both run in one process.
func TestHandlerFindsWhatInitLeft(t *testing.T) {
	for name, code := range map[string]string{
		"attributes of ctx": `
def init(ctx): ctx.model = ["a", "b"]
def handler(ctx, data):
    ctx.seen = getattr(ctx, "seen", 0) + 1  # of this call alone, as KRT V1 copied the context
    assert ctx.seen == 1
    return StringValue(value="%s %s" % (ctx.model, ctx.workflow))
`,
		"a thread": `
import threading
def init(ctx):
    ctx.ticks = threading.Semaphore(0)
    def tick():
        while True: ctx.ticks.release(); time.sleep(0.001)
    threading.Thread(target=tick, daemon=True).start()
def handler(ctx, data):
    for _ in range(10): assert ctx.ticks.acquire(timeout=60)
    return StringValue(value="['a', 'b'] wf")
`,
		"a connection of the event loop": `
async def init(ctx):
    async def echo(r, w):
        while True: w.write(await r.readline())
    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    ctx.rw = await asyncio.open_connection(*server.sockets[0].getsockname())
    ctx.server = server
async def handler(ctx, data):
    r, w = ctx.rw
    w.write(b"['a', 'b'] wf\n")
    return StringValue(value=(await r.readline()).decode().strip())
`,
		"a task, the handler being plain": `
async def init(ctx):
    ctx.ticks = 0
    async def tick():
        while True:
            ctx.set("ticks", ctx.ticks + 1)
            ctx.ticks += 1
            await asyncio.sleep(0.001)
    ctx.set("ticks", 0)
    ctx.task = asyncio.create_task(tick())
def handler(ctx, data):
    if text(data) == "ticks": return StringValue(value=str(ctx.get("ticks")))
    return StringValue(value="['a', 'b'] wf")
`,
		"a thread that uses the loop": `
import threading
async def init(ctx):
    loop, ctx.due, ctx.made = asyncio.get_running_loop(), threading.Event(), threading.Event()
    async def make():
        ctx.made.set()
    def work():
        ctx.due.wait()
        asyncio.run_coroutine_threadsafe(make(), loop).result()
        tell("made")
    threading.Thread(target=work, daemon=True).start()
async def handler(ctx, data):
    ctx.due.set()
    return StringValue(value="['a', 'b'] wf")
`,
		"the loop that a plain init finds": `
loop = asyncio.get_event_loop()
def init(ctx):
    assert asyncio.get_running_loop() is loop
    ctx.task = asyncio.create_task(asyncio.sleep(0, "['a', 'b'] wf"))
async def handler(ctx, data):
    assert asyncio.get_running_loop() is loop
    return StringValue(value=await ctx.task)
`,
	} {
		t.Run(name, func(t *testing.T) {
			n := start(t, code, nil)
			require.Equal(t, "['a', 'b'] wf", n.text("x"))
			if name == "a thread that uses the loop" {
				require.Equal(t, "made", (<-n.told).text, "while no request is there")
			}
			for range 2 {
				require.Equal(t, "['a', 'b'] wf", n.text("x"))
			}
			if strings.HasPrefix(name, "a task") {
				before := n.text("ticks")
				require.Eventually(t, func() bool { return n.text("ticks") != before }, time.Minute, time.Millisecond)
			}
		})
	}
}

func TestEachWorkerHasAnInitOfItsOwn(t *testing.T) {
	n := start(t, `
def init(ctx): ctx.pid = os.getpid(); tell("init")
def handler(ctx, data):
    assert ctx.pid == os.getpid()
    return StringValue(value="own")
`, map[string]string{"KRT_WORKERS": "3"})
	for range 3 {
		require.Equal(t, "init", (<-n.told).text)
	}
	require.Equal(t, "own", n.text("x"))
}

// forking is a node whose workers are to be forked.
var forking = map[string]string{"KRT_FORK": "true", "KRT_WORKERS": "2"}

// A fork has none of the other threads, and cannot talk to a GPU.
func TestProcessThatMustNotBeForked(t *testing.T) {
	device := filepath.Join(t.TempDir(), "nvidia0")
	require.NoError(t, os.WriteFile(device, nil, 0o600))
	for name, c := range map[string]struct{ code, gpu, cause string }{
		"a thread of Python": {`
import threading
def init(ctx):
    ctx.pid = os.getpid()
    threading.Thread(target=time.sleep, args=(3600,), daemon=True, name="refresh").start()
`, "", `node "model" is not forked: after init it has 1 more thread(s): refresh;`},
		"a native thread": {`
import ctypes, ctypes.util
def init(ctx):
    ctx.pid = os.getpid()
    libc = ctypes.CDLL(None)
    thread = ctypes.c_ulong()
    assert libc.pthread_create(ctypes.byref(thread), None, ctypes.cast(libc.pause, ctypes.c_void_p), None) == 0
`, "", `node "model" is not forked: after init it has 1 more thread(s): started by native code;`},
		"a GPU": {`
from _krt_runner import fork
fork._GPU = ("` + device + `",)
def init(ctx):
    ctx.pid = os.getpid()
    ctx.device = open("` + device + `")
`, "", `node "model" is not forked: after init it uses a GPU (` + device + `);`},
		"a node that asks for one": {`
def init(ctx):
    ctx.pid = os.getpid()
`, "true", `node "model" is not forked: it has a GPU (gpu: true);`},
	} {
		t.Run(name, func(t *testing.T) {
			n := start(t, c.code+`
    tell("init")
def handler(ctx, data):
    assert ctx.pid == os.getpid(), "forked"
    return StringValue(value=str(ctx.pid))
`, map[string]string{"KRT_FORK": "true", "KRT_WORKERS": "2", "KRT_GPU": c.gpu})
			first := n.text("x")
			for range 2 {
				require.Equal(t, "init", (<-n.told).text)
			}
			require.Equal(t, 1, strings.Count(n.log.String(), "is not forked"), n.log)
			require.Contains(t, n.log.String(), strings.ReplaceAll(c.cause, `"`, `\"`))
			// One that dies is replaced as any other is.
			pid, err := strconv.Atoi(first)
			require.NoError(t, err)
			require.NoError(t, syscall.Kill(pid, syscall.SIGKILL))
			require.Equal(t, "init", (<-n.told).text)
			require.NotEqual(t, first, n.text("x"))
			require.Equal(t, 1, strings.Count(n.log.String(), "is not forked"))
		})
	}
}

// Forked workers do not draw the same numbers.
func TestForkedWorkersHaveRandomStatesOfTheirOwn(t *testing.T) {
	n := begin(t, map[string]string{
		"src/model/torch.py": "state = 'init'\ndef seed():\n    global state\n    state = __import__('os').getpid()\n",
		"src/model/main.py": prelude + `
import random, torch
os.environ["OPENBLAS_NUM_THREADS"] = "1"  # it would not be forked
try:
    import numpy.random
except ImportError:
    numpy = None
def init(ctx):
    random.seed(1)
    if numpy: numpy.random.seed(1)
def handler(ctx, data):
    assert torch.state == os.getpid()
    tell("%s %s" % (random.random(), numpy.random.random() if numpy else os.getpid()))
    told[-1].recv(1)
`}, forking, pyrunner.Options{})
	n.awaitReady()
	ctx, done := withCallers(t, n, 2)
	a, b := strings.Fields((<-n.told).text), strings.Fields((<-n.told).text)
	done()
	<-ctx.Done()
	require.NotEqual(t, a[0], b[0])
	require.NotEqual(t, a[1], b[1])
	require.NotEqual(t, "0.13436424411240122", a[0], "that of random.seed(1)")
}

func TestConnectionsLeftByInitAreNamedWhenForking(t *testing.T) {
	n := start(t, `
def init(ctx): ctx.pair = socket.socketpair()
def handler(ctx, data): return StringValue(value="x")
`, forking)
	n.log.await(t, "init left 2 connection(s) open")
}
