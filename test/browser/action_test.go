package browser

import (
	"context"
	"net"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
)

func baseContext(ctx context.Context) func(net.Listener) context.Context {
	return func(net.Listener) context.Context { return ctx }
}

// Every action, by its button: what the API has then, and what the page shows of it.
func TestActionsOnACluster(t *testing.T) {
	c := newCluster(t)
	c.start("room-1")
	c.start("room-2")
	h := c.serve(c.server.Config(), false)
	p := newPage(t, desktop)
	p.open(h.link())
	require.Equal(t, h.URL+"/", eval[string](p, "location.href"), "without the token")
	p.awaitRole("link", "room-1")

	p.press("link", "room-1")
	p.awaitText(".side-version", "Started")
	p.act("Publish", "the first")
	p.awaitText("main", "Publish was asked for.")
	require.Equal(t, v1alpha1.RuntimeSpec{PublishedVersion: "room-1", Comment: "the first"}, c.runtime().Spec)
	c.reconcile()
	p.awaitText(".side-version", "Published")
	p.awaitText("#side-actions", "Unpublish it first.")

	p.open(h.of("room-2", "actions/publish"))
	p.awaitText(".change", "room-1")
	p.awaitText("main", "Clients of the runtime reach room-2 instead of room-1.")
	p.open(h.of("room-2", ""))
	p.act("Publish", "better")
	p.awaitText("main", "Publish was asked for.")
	require.Equal(t, "room-2", c.runtime().Spec.PublishedVersion)
	c.reconcile()
	p.awaitText(".side-version", "Published")

	p.act("Roll back", "worse after all")
	p.awaitText("main", "Roll back was asked for.")
	require.Equal(t, "room-1", c.runtime().Spec.PublishedVersion)
	c.reconcile()
	p.awaitText(".side-version", "Started")

	p.open(h.of("room-1", ""))
	p.act("Unpublish", "closed")
	p.awaitText("main", "Unpublish was asked for.")
	require.Empty(t, c.runtime().Spec.PublishedVersion)
	c.reconcile()
	p.awaitText(".side-version", "Started")

	p.act("Restart", "new settings")
	p.awaitText("main", "Restart was asked for.")
	require.NotEmpty(t, c.version("room-1").Spec.Restart)
	p.act("Stop", "over")
	p.awaitText("main", "Stop was asked for.")
	require.Equal(t, v1alpha1.StateStopped, c.version("room-1").Spec.State)
	c.mark("room-1", v1alpha1.PhaseStopped, nil)
	p.awaitText(".side-version", "Stopped")

	p.allow("409")
	p.act("Start", "again")
	p.awaitText(".notice-bad", "CURRENCY") // it has no value
	require.Equal(t, "again", eval[string](p, "document.querySelector('textarea').value"))
	require.Equal(t, v1alpha1.StateStopped, c.version("room-1").Spec.State)

	p.open(h.of("room-1", "config"))
	p.awaitText("#config-state", "1 of 1 without a value")
	p.do(chromedp.SendKeys("input[name=value]", "EUR"))
	p.press("button", "Set")
	p.awaitText("main", "CURRENCY was changed.")
	p.awaitText("#config-state", "Complete")
	require.Equal(t, map[string][]byte{"CURRENCY": []byte("EUR")}, c.configValues("room-1"))
	p.act("Start", "again")
	p.awaitText("main", "Start was asked for.")
	require.Equal(t, "again", c.version("room-1").Spec.Comment)

	p.open(h.of("room-1", "history"))
	p.awaitText("#events", "over")
	p.awaitText("#publications", "worse after all")
	p.open(h.of("room-1", "compare"))
	p.awaitText("main", "make-prediction")

	c.mark("room-2", v1alpha1.PhaseStopped, func(*v1alpha1.Version) {})
	p.open(h.of("room-2", "actions/stop"))
	p.press("button", "Stop")
	p.awaitText("main", "Stop was asked for.")
	c.mark("room-2", v1alpha1.PhaseStopped, nil)
	p.act("Delete", "not needed")
	p.awaitRole("heading", "Versions")
	err := c.admin.Get(t.Context(), client.ObjectKey{Namespace: c.namespace, Name: "room-2"}, &v1alpha1.Version{})
	require.True(t, apierrors.IsNotFound(err))
	p.until("the row is gone", func() bool { return !p.has("link", "room-2") })
}

// A user who may only read sees every button disabled with the reason, and is refused by the API
// where a page is not asked.
func TestActionsOnAClusterWithoutTheRight(t *testing.T) {
	c := newCluster(t)
	c.start("room-1")
	for name, h := range map[string]*home{
		"no right": c.serve(c.reader(), false), "read-only": c.serve(c.server.Config(), true),
	} {
		t.Run(name, func(t *testing.T) {
			p := newPage(t, desktop)
			p.open(h.link())
			p.press("link", "room-1")
			p.awaitText(".side-version", "Started")
			p.do(chromedp.Click("#more-actions summary"))
			for _, button := range []string{"Stop", "Publish", "Restart", "Delete"} {
				p.awaitRole("button", button)
				require.True(t, eval[bool](p, `[...document.querySelectorAll("#side-actions button")].every(b => b.disabled &&
					document.getElementById(b.getAttribute("aria-describedby")).innerText.length > 10)`), button)
			}
			require.False(t, p.has("link", "Stop"))
			p.allow("403")
			p.allow("409") // what is started is not deleted, whoever asks
			for _, action := range []string{"stop", "restart", "delete", "publish"} {
				status := eval[int](p, `(() => { const x = new XMLHttpRequest();
					const body = new URLSearchParams(`+quote(action)+` == "publish" ? {old: "nothing", new: "room-1"} : {});
					x.open("POST", location.pathname + "/actions/" + `+quote(action)+`, false); x.send(body); return x.status })()`)
				require.Contains(t, []int{403, 409}, status, action)
			}
			require.Equal(t, v1alpha1.StateStarted, c.version("room-1").Spec.State)
		})
	}
}

// Without JavaScript pages are read and forms sent.
func TestActionsOnAClusterWithoutJavaScript(t *testing.T) {
	c := newCluster(t)
	c.start("room-1")
	h := c.serve(c.server.Config(), false)
	p := newPage(t, desktop)
	p.scripts(false)
	p.open(h.link())
	require.NotEmpty(t, eval[string](p, "document.querySelector('time').textContent.match(/UTC$/)[0]"))
	p.press("button", "Filter")
	p.await("location.search !== ''") // a click on the page that is being left is lost
	p.press("link", "room-1")
	p.press("link", "Stop")
	p.press("button", "Stop")
	p.awaitText("main", "Stop was asked for.")
	require.Equal(t, v1alpha1.StateStopped, c.version("room-1").Spec.State)
}
