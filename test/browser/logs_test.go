package browser

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/heapprofiler"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/runner"
)

// What a node logs is up to the request of the test.
const (
	askHostile = "hostile"
	askFlood   = "flood"
	askFailure = "fail"
)

// logAsAsked logs what a text asks for.
func logAsAsked(c *runner.HandlerContext, text string) error {
	c.Logger.Warn("asked for " + text)
	out := bufio.NewWriterSize(os.Stdout, 1<<20)
	switch text {
	case askHostile:
		fmt.Fprintln(out, `<script>window.hacked=1</script><img src=x onerror="window.hacked=2">`)
		fmt.Fprintln(out, "\x1b[31mred\x1b[0m \x1b]0;title\a\x00\xff\u202eright to left")
		fmt.Fprintln(out, `{"level":"ERROR","msg":"<b>bold</b>","<i>name</i>":"<script>window.hacked=3</script>"}`)
		fmt.Fprintln(out, strings.Repeat("long ", 200_000)) // 1 MB
	case askFlood:
		rest := strings.Repeat("x", 80)
		for i := range floodLines {
			fmt.Fprintln(out, "flood", i, rest)
		}
		fmt.Fprintln(out, "the flood is over")
	case askFailure:
		return errors.New("<b>no</b> price for it")
	}
	return out.Flush()
}

// logsOf opens the logs of a new version, which is ready.
func logsOf(t *testing.T, query string) (*page, event) {
	t.Helper()
	v := run(t, scene(t))
	ready := v.await("ready")
	p := newPage(t, desktop)
	p.open(v.of("scene-v1", "logs") + query)
	p.awaitText("#log-status", "following")
	return p, ready
}

const predict = "scene.Entrypoint/Predict"

func TestLogsOfHostileNodes(t *testing.T) {
	p, ready := logsOf(t, "")
	ready.send(t, predict, quote(askHostile))
	p.awaitText("#log-lines", `<script>window.hacked=1</script>`)
	p.awaitText("#log-lines", `red \x1b]0;title\a\x00\ufffd\u202eright to left`)
	p.awaitText("#log-lines", "long long")
	require.Less(t, eval[int](p, "Math.max(...[...document.querySelectorAll('.brief')].map(e => e.textContent.length))"), 500)
	p.await("document.querySelectorAll('.line-error').length == 2") // etl and model
	p.do(chromedp.Evaluate[chromedp.Void]("void document.querySelectorAll('#log-lines details').forEach(d => d.open = true)"))
	p.awaitText("#log-lines", "<i>name</i>")
	require.Less(t, eval[int](p, "document.body.innerText.length"), 100_000, "of 1 MB lines only the beginning is there")
	require.True(t, eval[bool](p, "window.hacked === undefined && !document.querySelector('#log-lines b, #log-lines img')"))
}

func TestLogFiltersAreInTheAddress(t *testing.T) {
	p, ready := logsOf(t, "?level=warn")
	ready.send(t, predict, quote("this"))
	p.awaitText("#log-lines", "asked for this")
	require.NotContains(t, p.text("#log-lines"), "ready")
	p.do(chromedp.Evaluate[chromedp.Void](`void (() => {
		const node = document.querySelector('select[name=node]');
		node.value = 'model';
		node.dispatchEvent(new Event('input', {bubbles: true}));
	})()`))
	p.await("location.search.includes('node=model') && location.search.includes('level=warn')")
	p.await("[...document.querySelectorAll('#log-lines .node')].every(e => e.textContent == 'model') && " +
		"document.querySelector('#log-lines .node')")
	require.Contains(t, eval[string](p, "document.getElementById('log-download').href"), "node=model")

	// From a line to its request, and to all lines of it.
	p.do(chromedp.Evaluate[chromedp.Void]("document.querySelector('#log-lines details').open = true"))
	p.press("link", "its lines only")
	p.await("location.search.startsWith('?id=')")
	p.await("document.querySelectorAll('#log-lines .line').length == 2")
}

// Whoever reads a line keeps it, however many come.
func TestThePlaceIsKept(t *testing.T) {
	p, ready := logsOf(t, "")
	for i := range 60 {
		ready.send(t, predict, quote(fmt.Sprint("number ", i)))
	}
	const last = "[...document.querySelectorAll('#log-lines .line')].filter(e => e.textContent.includes('number 59'))"
	p.await(last + ".length == 2") // etl's and model's
	p.do(chromedp.Evaluate[chromedp.Void](`void (() => {
		const lines = document.getElementById('log-lines');
		lines.dispatchEvent(new WheelEvent('wheel', {deltaY: -100}));
		lines.scrollTop = 40;
	})()`))
	p.awaitText("#log-status", "not at the end")
	seen := eval[string](p, "document.elementFromPoint(700, 400).closest('.line').textContent")
	ready.send(t, predict, quote("later"))
	p.awaitText("#log-status", "2 new")
	require.Equal(t, 40, eval[int](p, "document.getElementById('log-lines').scrollTop"))
	require.Equal(t, seen, eval[string](p, "document.elementFromPoint(700, 400).closest('.line').textContent"))
	p.press("button", "Jump to the end")
	p.awaitText("#log-status", "following")
	p.awaitText("#log-lines", "later")

	p.press("button", "Pause")
	ready.send(t, predict, quote("while paused"))
	p.awaitText("#log-status", "paused; 2 new")
	require.NotContains(t, p.text("#log-lines"), "while paused")
	p.press("button", "Follow")
	p.awaitText("#log-lines", "while paused")
}

// A node that logs 100 MB at full speed (5 MB with the race detector): neither the browser nor the run
// grows, the page says what is missing, and it has the last line.
func TestAFloodOfLogs(t *testing.T) {
	if testing.Short() {
		t.Skip("100 MB of logs")
	}
	const long = 3 * time.Minute
	v := run(t, scene(t), "--timeout", long.String())
	ready := v.await("ready")
	p := newPage(t, desktop)
	p.patience = long
	p.open(v.of("scene-v1", "logs") + "?node=etl")
	p.awaitText("#log-status", "following")
	before := heapOf(p)
	p.do(chromedp.Evaluate[chromedp.Void](`void (() => {
		window.most = 0; window.longest = 0; window.last = performance.now();
		new MutationObserver(() => { most = Math.max(most, document.getElementById('log-lines').childElementCount); })
			.observe(document.getElementById('log-lines'), {childList: true});
		setInterval(() => { const now = performance.now(); longest = Math.max(longest, now - last); last = now; }, 10);
	})()`))
	answered := make(chan int, 1)
	go func() {
		status, _ := ready.send(t, "scene.Entrypoint/Save", quote(askFlood))
		answered <- status
	}()
	p.awaitText("#log-lines", "the flood is over")
	require.Equal(t, 200, <-answered)
	p.awaitText("#log-dropped", "lines are not shown")
	require.LessOrEqual(t, eval[int](p, "most"), 2000+400, "while a batch is added")
	require.LessOrEqual(t, eval[int](p, "document.getElementById('log-lines').childElementCount"), 2000)
	grown := heapOf(p) - before
	t.Logf("the browser's heap has grown by %d KiB, its longest pause was %.0f ms; the run used %d MiB at most; %s",
		grown>>10, eval[float64](p, "longest"), peak(t, v)>>10, p.text("#log-dropped"))
	require.Less(t, grown, 16<<20)
	require.Less(t, peak(t, v), 400<<10, "KiB")
}

// heapOf is the size of the page's JavaScript heap without garbage, in bytes.
func heapOf(p *page) int {
	p.t.Helper()
	_, err := chromedp.Call(p.ctx, heapprofiler.CollectGarbage, cdp.Empty{})
	require.NoError(p.t, err)
	return eval[int](p, "performance.memory.usedJSHeapSize")
}

// peak is how much memory the run has had at most, in KiB.
func peak(t *testing.T, v *version) int {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", v.PID))
	if err != nil {
		t.Skipf("this system does not say how much memory a process has: %v", err)
	}
	found := regexp.MustCompile(`VmHWM:\s+(\d+) kB`).FindSubmatch(status)
	require.NotNil(t, found)
	kib, err := strconv.Atoi(string(found[1]))
	require.NoError(t, err)
	return kib
}
