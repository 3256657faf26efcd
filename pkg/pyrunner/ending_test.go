package pyrunner_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/pyrunner"
)

// withCallers calls the node from so many callers at once; done ends them, after
// which the context is done.
func withCallers(t *testing.T, n *node, callers int) (over context.Context, done func()) {
	ctx, cancel := context.WithCancel(t.Context())
	over, ended := context.WithCancel(context.Background())
	var all sync.WaitGroup
	for range callers {
		all.Go(func() { _, _ = n.postContext(ctx, request("x")) })
	}
	return over, func() {
		cancel()
		all.Wait()
		ended()
	}
}

// A process that ran init ends as its author wants when the node stops.
func TestOrderlyEnd(t *testing.T) {
	for name, c := range map[string]struct {
		code  string
		loose bool // needs an event loop of init's, which a fork has not
		told  []string
	}{
		"atexit": {`
import atexit
def init(ctx): atexit.register(tell, "atexit")
def handler(ctx, data): return StringValue(value="x")
`, false, []string{"atexit"}},
		"handler of SIGTERM": {`
import atexit
def term(number, frame):
    tell("SIGTERM")
    sys.exit(0)
def init(ctx):
    atexit.register(tell, "atexit")
    signal.signal(signal.SIGTERM, term)
def handler(ctx, data): return StringValue(value="x")
`, false, []string{"SIGTERM", "atexit"}},
		"a thread that never ends": {`
import atexit, threading
def init(ctx):
    atexit.register(tell, "atexit")
    threading.Thread(target=time.sleep, args=(3600,)).start()
def handler(ctx, data): return StringValue(value="x")
`, false, []string{"atexit"}},
		"what fails is logged, and the rest goes on": {`
import atexit
def term(number, frame): raise ValueError("no good")
def init(ctx):
    atexit.register(tell, "atexit")
    signal.signal(signal.SIGTERM, term)
def handler(ctx, data): return StringValue(value="x")
`, false, []string{"atexit"}},
		"handler of the loop, which makes a task": {`
async def init(ctx):
    async def close():
        await asyncio.sleep(0.001)
        tell("closed")
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, lambda: asyncio.create_task(close()))
async def handler(ctx, data): return StringValue(value="x")
`, true, []string{"closed"}},
		"a task is cancelled": {`
async def init(ctx):
    async def work():
        try: await asyncio.sleep(3600)
        finally: tell("cleaned")
    ctx.task = asyncio.create_task(work())
    await asyncio.sleep(0)
def handler(ctx, data): return StringValue(value="x")
`, true, []string{"cleaned"}},
	} {
		for form, env := range forms {
			if form == "forked" && c.loose {
				continue
			}
			t.Run(name+" "+form, func(t *testing.T) {
				n := start(t, c.code, env)
				require.Equal(t, "x", n.text("x"))
				require.NoError(t, n.end())
				var told []string
				for range c.told {
					told = append(told, (<-n.told).text)
				}
				require.ElementsMatch(t, c.told, told)
				require.Empty(t, n.told)
				if name == "what fails is logged, and the rest goes on" {
					require.Contains(t, n.log.String(), "ValueError: no good")
				}
			})
		}
	}
}

// A process that does not end is killed.
func TestEndThatDoesNotEnd(t *testing.T) {
	for form, env := range forms {
		t.Run(form, func(t *testing.T) {
			n := startWith(t, `
import atexit
def init(ctx): atexit.register(time.sleep, 3600)
def handler(ctx, data):
    tell("here")
    return StringValue(value="x")
`, env, pyrunner.Options{EndGrace: 50 * time.Millisecond})
			require.Equal(t, "x", n.text("x"))
			here := <-n.told
			require.NoError(t, n.end())
			here.gone(t)
		})
	}
}
