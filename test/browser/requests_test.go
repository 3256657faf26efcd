package browser

import (
	"net/http"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

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
