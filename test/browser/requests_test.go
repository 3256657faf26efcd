package browser

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/inspection"
)

// someRequests are n requests of a workflow, the newest last: every fifth has failed, and all took
// differently long.
func someRequests(workflow string, n int) (all []inspection.Request) {
	for i := range n {
		r := inspection.Request{
			ID: fmt.Sprintf("%08x%024x", 0xabc0de00+i, i), Workflow: workflow, Code: "OK", DurationMS: 1234.5 / float64(1+i),
			Begin: time.Now().Add(time.Duration(i-n) * time.Second),
		}
		third := r.DurationMS / 3
		r.Steps = []inspection.Step{
			{Node: "etl", WaitMS: third / 2, RunMS: third / 2, Outcome: "ok"},
			{Node: "model", StartMS: third, WaitMS: third, RunMS: third, Outcome: "ok", Cold: i == 0},
		}
		if i%5 == 0 {
			r.Code, r.Node, r.Error, r.Steps[1].Outcome = "DEADLINE_EXCEEDED", "model", "the node had no response in time", "error"
		}
		all = append(all, r)
	}
	return all
}

// On the smallest phone, all of a request is visible without scrolling sideways, and how long a bar is.
func TestRequestsFitAPhone(t *testing.T) {
	home, v := serveCrowd(t)
	p := newPage(t, desktop)
	p.allow("net::ERR_")
	p.see(look{width: 320, height: 640})
	p.open(home + "/ns/team/versions/" + v.Name + "/requests")
	p.awaitText(".request-failed tbody", "DEADLINE_EXCEEDED")
	require.Empty(t, eval[[]string](p, `[...document.querySelectorAll('.request-list .scroll, .request-list .scroll *')]
		.filter((e) => e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).display !== 'inline' && !e.closest('svg'))
		.map((e) => e.outerHTML.slice(0, 100))`))
	p.awaitText(".request-slowest", "full width of the bars")
}

func TestRequestsAreShownAsTheyCome(t *testing.T) {
	v := run(t, scene(t), "--trace-url", "http://jaeger.example/trace/{traceId}")
	ready := v.await("ready")
	p := newPage(t, desktop)
	p.open(v.of("scene-v1", "requests"))
	p.awaitText("main", "No requests yet.")
	ready.send(t, predict, quote("this"))
	p.awaitText("main", "1 request, none failed")
	status, _ := ready.send(t, predict, quote(askFailure))
	require.NotEqual(t, http.StatusOK, status)
	p.awaitText(".request-failed", "<b>no</b> price for it")
	p.awaitText(".request-failed", "etl")
	p.await("document.querySelectorAll('.request-last tbody tr').length == 2")

	p.do(chromedp.Evaluate[chromedp.Void](`void (() => {
		const failed = document.querySelector('input[name=failed]');
		failed.checked = true;
		failed.dispatchEvent(new Event('input', {bubbles: true}));
	})()`))
	p.await("location.search == '?failed=1' && document.querySelectorAll('.request-last tbody tr').length == 1")
}

func TestOneRequestIsShownStepByStep(t *testing.T) {
	v := run(t, scene(t))
	ready := v.await("ready")
	ready.send(t, predict, quote("<b>this</b>"))
	p := newPage(t, desktop)
	p.open(v.of("scene-v1", "requests"))
	p.await("document.querySelector('.request-last tbody a')")
	p.do(chromedp.Evaluate[chromedp.Void]("document.querySelector('.request-last tbody a').click()"))
	p.awaitRole("heading", "Request")
	p.until("its messages", func() bool { // copies of them come after the response; the page stays as it was loaded
		if strings.Contains(p.text("main"), "Output of model") {
			return true
		}
		p.open(eval[string](p, "location.href"))
		return false
	})
	p.awaitRole("rowheader", "etl")
	p.awaitRole("rowheader", "model")
	p.await("document.querySelectorAll('.waterfall .wf-run').length == 2")
	p.awaitText("main", `"<b>this</b>"`)
	p.awaitText("main", "Output of model")
	p.press("link", "the lines of this request")
	p.awaitText("#log-lines", "asked for <b>this</b>")
	p.await("document.querySelectorAll('#log-lines .line').length == 2")
	require.True(t, eval[bool](p, "!document.querySelector('#log-lines b')"))
}
