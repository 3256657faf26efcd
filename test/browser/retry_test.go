package browser

import (
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/dashboard"
	"krt.dev/kn-krt/pkg/dashboard/source"
	"krt.dev/kn-krt/pkg/dashboard/sourcetest"
)

// A failure of the first reading does not leave the charts empty until the page is loaded again.
func TestChartsAreDrawnAfterAFailure(t *testing.T) {
	v := published()
	m := sourcetest.New(v)
	now := time.Now().Truncate(time.Second)
	m.Drawn = &source.Chart{From: "Prometheus", Times: []time.Time{now.Add(-time.Minute), now}, Lines: []source.Line{
		{Measure: source.Requests, Workflow: "save-metric", Values: []float64{1, 2}},
	}}
	pages := dashboard.New(dashboard.Options{Sources: dashboard.One(m)})
	var reads atomic.Int32
	url := site(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/metrics/data") && reads.Add(1) == 1 {
			_, _ = io.WriteString(w, `{"times":`)
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler) // the network fails
		}
		pages.ServeHTTP(w, r)
	}))
	p := newPage(t, desktop)
	p.allow("net::ERR_")
	p.open(url + "/ns/" + v.Namespace + "/versions/" + v.Name + "/metrics?range=7d") // it is live once an hour
	p.await("document.querySelectorAll('.plot canvas').length === 1")
	require.GreaterOrEqual(t, reads.Load(), int32(2)) // and once more if the stream has merged the charts since
}

// What a page says about a request that was refused is said, not the notice that all pages have.
func TestTrySaysWhyItWasRefused(t *testing.T) {
	dir := scene(t)
	v := run(t, dir)
	ready := v.await("ready")
	version := published()
	m := sourcetest.New(version)
	m.Address = ready.GRPC
	version.Workflows[0].Method = "scene.Entrypoint/Predict"
	m.Set(version)
	url := site(t, dashboard.New(dashboard.Options{Sources: dashboard.One(m), Notice: "Everybody can read this."}))
	p := newPage(t, desktop)
	p.allow("net::ERR_")
	p.allow("404")
	p.open(url + "/ns/" + version.Namespace + "/versions/" + version.Name + "/try")
	p.awaitText("main", "Everybody can read this.")
	m.Remove(version.Ref)
	p.awaitText("#connection", "there is no version") // it moves the button
	p.press("button", "Send")
	p.awaitText("#try-status", "there is no version")
}
