package pyrunner_test

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/pyrunner"
)

// forms are the ways workers are made; what is true of workers is true of both.
var forms = map[string]map[string]string{
	"forked": {"KRT_FORK": "true"},
	"lone":   nil,
}

func TestDeadWorkerFailsItsOneRequest(t *testing.T) {
	for form, env := range forms {
		for name, c := range map[string]struct{ code, how string }{
			"killed": {"os.kill(os.getpid(), signal.SIGKILL)", "signal: killed"},
			"exit":   {"os._exit(7)", "exit status 7"},
		} {
			t.Run(form+" "+name, func(t *testing.T) {
				n := start(t, "def handler(ctx, data):\n    if text(data) == 'die': "+c.code+"\n    return StringValue(value='alive')", env)
				require.Equal(t, "alive", n.text("x"))
				a := n.death(t.Context(), "die")
				require.Equal(t, http.StatusServiceUnavailable, a.status)
				require.Equal(t, "worker exited: "+c.how, a.body)
				require.Equal(t, "alive", n.text("x"))
				require.Empty(t, n.replies)
			})
		}
	}
}

// unseen is in the error of a worker's death if how it died is not known within 2 s, which a busy machine may need.
const unseen = " lost: "

// death posts a text of which the worker dies, once more if how is unseen.
func (n *node) death(ctx context.Context, text string) (a answer) {
	n.t.Helper()
	for range 2 {
		var err error
		a, err = n.postContext(ctx, request(text))
		require.NoError(n.t, err)
		if !strings.Contains(a.body, unseen) {
			break
		}
	}
	return a
}

// A process that a handler has started has none of the worker's pipes: it would keep them open when the worker has died, and
// the request would wait until its deadline.
func TestDeathIsSeenWhileAProcessOfTheHandlerRuns(t *testing.T) {
	for form, env := range forms {
		t.Run(form, func(t *testing.T) {
			n := start(t, `
import subprocess
def handler(ctx, data):
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(3600)"], close_fds=False)
    os.kill(os.getpid(), signal.SIGKILL)
`, env)
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			defer cancel()
			a := n.death(ctx, "x")
			require.Equal(t, http.StatusServiceUnavailable, a.status)
			require.Equal(t, "worker exited: signal: killed", a.body)
		})
	}
}

func TestWorkerThatDiesIdleIsReplaced(t *testing.T) {
	for form, env := range forms {
		t.Run(form, func(t *testing.T) {
			n := start(t, "def handler(ctx, data):\n    tell('here')\n    return StringValue(value=str(os.getpid()))", env)
			first := n.text("x")
			pid, err := strconv.Atoi(first)
			require.NoError(t, err)
			require.NoError(t, syscall.Kill(pid, syscall.SIGKILL))
			(<-n.told).gone(t)
			n.log.await(t, "worker exited, starting another")
			require.NotEqual(t, first, n.text("x"))
		})
	}
}

// endless is a handler that ends only when it is cancelled. It tells the test
// that it runs and, from its finally block, that it was cleaned up.
var endless = map[string]string{
	"plain": `
def handler(ctx, data):
    if text(data) == "quick": return StringValue(value=str(os.getpid()))
    try:
        tell("runs")
        while True: time.sleep(60)
    finally:
        tell("cleaned")
`,
	"async that blocks": `
async def handler(ctx, data):
    if text(data) == "quick": return StringValue(value=str(os.getpid()))
    try:
        tell("runs")
        time.sleep(3600)
    finally:
        tell("cleaned")
`,
	"async": `
async def handler(ctx, data):
    if text(data) == "quick": return StringValue(value=str(os.getpid()))
    try:
        tell("runs")
        await asyncio.sleep(3600)
    finally:
        tell("cleaned")
`,
	"plain that gives async": `
async def inner(data):
    try:
        tell("runs")
        await asyncio.sleep(3600)
    finally:
        tell("cleaned")
def handler(ctx, data):
    return StringValue(value=str(os.getpid())) if text(data) == "quick" else inner(data)
`,
}

// cleanedUp requires that an endless handler that has ended was cleaned up; false if it had not begun.
func (n *node) cleanedUp() (begun bool) {
	n.t.Helper()
	heard := n.heard()
	if len(heard) == 0 || heard[0].text != "runs" {
		return false
	}
	require.Len(n.t, heard, 2)
	require.Equal(n.t, "cleaned", heard[1].text)
	return true
}

func TestCallerThatLeavesCancelsTheHandler(t *testing.T) {
	for kind, code := range endless {
		for form, env := range forms {
			t.Run(kind+" "+form, func(t *testing.T) {
				n := start(t, code, env)
				pid := n.text("quick")
				for range 3 {
					ctx, cancel := context.WithCancel(t.Context())
					done := make(chan struct{})
					go func() {
						_, _ = n.postContext(ctx, request("x"))
						close(done)
					}()
					require.Equal(t, "runs", (<-n.told).text)
					cancel()
					require.Equal(t, "cleaned", (<-n.told).text)
					<-done
				}
				require.Equal(t, pid, n.text("quick"), "the worker lives on")
			})
		}
	}
}

// On a busy machine a worker may be asked to end a request that it has not begun with: then it does not begin.
func TestRequestThatIsCancelledBeforeItBegins(t *testing.T) {
	for kind, code := range endless {
		for form, env := range forms {
			t.Run(kind+" "+form, func(t *testing.T) {
				n := start(t, code, env)
				first := n.text("quick")
				pid, err := strconv.Atoi(first)
				require.NoError(t, err)
				require.NoError(t, syscall.Kill(pid, syscall.SIGSTOP))
				time.AfterFunc(300*time.Millisecond, func() { _ = syscall.Kill(pid, syscall.SIGCONT) })
				in := request("x")
				in.Deadline = time.Now().Add(100 * time.Millisecond)
				begin := time.Now()
				require.Equal(t, http.StatusAccepted, n.post(in).status)
				require.Less(t, time.Since(begin), time.Minute, "the grace of a handler that does not end")
				require.Equal(t, first, n.text("quick"), "the worker lives on")
			})
		}
	}
}

func TestDeadlineCancelsTheHandler(t *testing.T) {
	for kind, code := range endless {
		t.Run(kind, func(t *testing.T) {
			n := start(t, code, nil)
			pid := n.text("quick")
			inTime(t, func(patience time.Duration) bool {
				in := request("x")
				in.Deadline = time.Now().Add(patience)
				require.Equal(t, http.StatusAccepted, n.post(in).status)
				require.Equal(t, pid, n.text("quick"), "the worker lives on")
				return n.cleanedUp()
			})
			require.Empty(t, n.replies)
		})
	}
}

func TestHandlerThatDoesNotEndIsKilled(t *testing.T) {
	for kind, code := range map[string]string{
		"plain": `
def handler(ctx, data):
    if text(data) == "quick": return StringValue(value="alive")
    tell("runs")
    while True:
        try: time.sleep(60)
        except BaseException: pass
`,
		"async": `
async def handler(ctx, data):
    if text(data) == "quick": return StringValue(value="alive")
    tell("runs")
    while True:
        try: time.sleep(60)
        except BaseException: pass
`,
		"native": `
import itertools
def handler(ctx, data):
    if text(data) == "quick": return StringValue(value="alive")
    tell("runs")
    sum(itertools.repeat(0))  # never looks for signals
`,
	} {
		for form, env := range forms {
			t.Run(kind+" "+form, func(t *testing.T) {
				n := startWith(t, code, env, pyrunner.Options{CancelGrace: 50 * time.Millisecond})
				inTime(t, func(patience time.Duration) bool {
					in := request("x")
					in.Deadline = time.Now().Add(patience)
					require.Equal(t, http.StatusAccepted, n.post(in).status)
					require.Equal(t, "alive", n.text("quick"))
					heard := n.heard()
					if len(heard) == 0 {
						return false
					}
					heard[0].gone(t)
					return true
				})
			})
		}
	}
}

func TestExpiredEventRunsNothing(t *testing.T) {
	n := start(t, "def handler(ctx, data): tell('ran')", nil)
	in := request("x")
	in.Deadline = time.Now().Add(-time.Second)
	require.Equal(t, http.StatusAccepted, n.post(in).status)
	require.Empty(t, n.told)
}

func TestRequestThatFindsNoWorkerInTime(t *testing.T) {
	n := start(t, endless["plain"], nil)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		_, _ = n.postContext(ctx, request("x"))
		close(done)
	}()
	<-n.told
	var a answer
	inTime(t, func(patience time.Duration) bool {
		in := request("quick")
		in.Deadline = time.Now().Add(patience)
		a = n.post(in)
		return a.status != http.StatusAccepted // which is the answer after the deadline
	})
	require.Equal(t, http.StatusServiceUnavailable, a.status)
	require.Equal(t, "busy: no worker was free until shortly before its deadline (workers: 1)", a.body)
	require.Equal(t, "1", a.header.Get("Retry-After"))
	cancel()
	<-done
}

func TestHostileWorkerIsKilled(t *testing.T) {
	const find = `
import struct
def handler(ctx, data):
    def send(*parts):
        tell("sends")
        os.write(ctx._call.channel.writes, b"".join(parts))
    n = ctx._call.sequence
    if text(data) == "quick": return StringValue(value="alive")
    `
	for name, c := range map[string]struct{ code, text string }{
		"too long":        {`send(struct.pack("<IBI", 1 << 31, 18, n))`, "malformed frame: 2147483648 bytes, the limit is 4259840"},
		"wrong kind":      {`send(struct.pack("<IBI", 0, 99, n))`, "malformed frame: kind 99, 0 bytes"},
		"wrong request":   {`send(struct.pack("<IBI", 0, 18, n + 1))`, "malformed frame: for request 3 in request 2"},
		"short result":    {`send(struct.pack("<IBI", 1, 18, n), b"x")`, "malformed frame: a result of 1 bytes"},
		"wrong flags":     {`send(struct.pack("<IBI", 4, 18, n), b"\xff\0\0\0")`, "malformed frame: a result of 4 bytes"},
		"nameless result": {`send(struct.pack("<IBI", 3, 18, n), b"\0\0\0")`, "malformed frame: a message name of 0 bytes"},
		"header in name":  {`send(struct.pack("<IBI", 6, 18, n), b"\0\3\0a\r\n")`, "malformed frame: a message name with byte 0xd"},
		"wrong reply":     {`send(struct.pack("<IBI", 2, 19, n), b"\xff\xff")`, "malformed frame: a message name of 65535 bytes"},
		"wrong message":   {`send(struct.pack("<IBI", 2, 23, n), b"\0\0")`, "malformed frame: a message name of 0 bytes"},
		"empty error":     {`send(struct.pack("<IBI", 0, 20, n))`, "malformed frame: an error of 0 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			n := start(t, find+c.code+"\n    time.sleep(3600)", nil)
			require.Equal(t, "alive", n.text("quick"))
			a := n.post(request("x"))
			require.Equal(t, http.StatusServiceUnavailable, a.status)
			require.Contains(t, a.body, c.text)
			(<-n.told).gone(t)
			require.Equal(t, "alive", n.text("quick"))
		})
	}
}

func TestFramesOfEarlierRequestsAreDropped(t *testing.T) {
	n := start(t, `
kept = []
def handler(ctx, data):
    if kept: kept[0]._call.reply("google.protobuf.StringValue", b"")
    kept.append(ctx)
    return StringValue(value="alive")
`, nil)
	for range 3 {
		require.Equal(t, "alive", n.text("x"))
	}
	require.Empty(t, n.replies)
}
