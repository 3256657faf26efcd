package browser

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// shot is a page of which docs/images has pictures: NAME-light.png, NAME-dark.png and NAME-360.png,
// as a phone shows it.
type shot struct {
	name string
	// page is below the version's path; "" is Status.
	page string
	// shows is a text of the page that is waited for, and before what is done on it first, if
	// anything.
	shows  string
	before func(*page)
}

// pictures are of the pages of price-estimator in a local run that has had some requests.
func pictures() []shot {
	return []shot{
		{name: "status", page: "?workflow=ny-room-price&node=model", shows: "ny-room-price", before: func(p *page) {
			p.await("!document.getElementById('numbers').innerText.includes('within seconds')")
		}},
		{name: "metrics", page: "metrics?range=15m", shows: "Requests per second", before: func(p *page) {
			p.await("document.querySelector('.plot canvas')")
		}},
		{name: "versions", page: "../../../../?all=1", shows: "price-estimator-v1", before: func(p *page) {
			p.awaitText("#numbers", "from the entrypoint")
		}},
		{name: "requests", page: "requests", shows: "none failed"},
		{name: "request", page: "requests", shows: "none failed", before: func(p *page) {
			p.await("document.querySelector('.request-slowest tbody a')")
			eval[bool](p, "document.querySelector('.request-slowest tbody a').click(), true")
			p.awaitText("main", "Messages")
		}},
		{name: "logs", page: "logs", shows: "following"},
		{name: "config", page: "config", shows: "OUTPUT_PRICE_CURRENCY"},
		{name: "history", page: "history", shows: "Comment"},
		{name: "predictions", page: "predictions", shows: "Confusion matrix", before: func(p *page) {
			eval[bool](p, "document.querySelector('figure').scrollIntoView(), true")
		}},
		{name: "try", page: "try", shows: "Request", before: func(p *page) {
			p.press("button", "Send")
			p.awaitText("#try-result", "OK")
		}},
		{name: "documentation", page: "docs", shows: "How good it is"},
		{name: "dashboards", page: "dashboards", shows: "Manhattan"},
	}
}

// TestShots writes the pictures into the folder of the flag -shots: make test-browser
// SHOTS=docs/images.
func TestShots(t *testing.T) {
	if *shots == "" {
		t.Skip("no folder for pictures is named: -shots")
	}
	v := priceEstimator(t)
	ready := v.await("ready")
	ready.rooms(t)
	const rpc = "roomprice.Entrypoint/MakePrediction"
	const room = `{"borough":"Queens","roomType":"Private room","accommodates":2,"bedrooms":1,"bathrooms":1,"beds":1,` +
		`"latitude":40.73,"longitude":-73.86,"internet":true}`
	defer ready.keepSending(rpc, room)()
	v.savePredictions(ready.Version, 300, neighbourhoods(5))
	for _, s := range pictures() {
		p := newPage(t, desktop)
		p.shoot(s.name, func() {
			p.open(v.of(ready.Version, s.page))
			p.awaitText("body", s.shows)
			if s.before != nil {
				s.before(p)
			}
		})
	}
}

// TestShotsOfTraffic writes the pictures of a page that a local run has not.
func TestShotsOfTraffic(t *testing.T) {
	if *shots == "" {
		t.Skip("no folder for pictures is named: -shots")
	}
	at, _ := serveDivided(t)
	p := newPage(t, desktop)
	p.shoot("traffic", func() {
		p.open(at + "/traffic")
		eval[bool](p, "document.querySelector('.differing').open = true")
	})
}

// TestShotsOfLetters writes the pictures of what a version with durable delivery has given up on, and of its queue.
func TestShotsOfLetters(t *testing.T) {
	if *shots == "" {
		t.Skip("no folder for pictures is named: -shots")
	}
	at, _ := serveDurable(t, false)
	p := newPage(t, desktop)
	for name, page := range map[string]string{
		"dead-letters": "dead-letters", "dead-letter": "dead-letters/" + strings.Repeat("0", 32) + "/1", "queue": "queue",
	} {
		p.shoot(name, func() {
			p.open(at + "/" + page)
			p.awaitText("main", "model")
		})
	}
}

// TestShotsOfTrouble writes pictures of versions that a run has not: many, in all states, and what
// is seldom seen. They are for who changes the pages, not for the documentation: git ignores them.
func TestShotsOfTrouble(t *testing.T) {
	if *shots == "" {
		t.Skip("no folder for pictures is named: -shots")
	}
	require.NoError(t, os.MkdirAll(filepath.Join(*shots, "trouble"), 0o750))
	at, v := serveCrowd(t)
	version := at + "/ns/team/versions/" + v.Name
	p := newPage(t, desktop)
	for _, expected := range []string{"net::ERR_", "401", "404"} {
		p.allow(expected)
	}
	for name, url := range map[string]string{
		"versions-many": at, "status-failed": version + "?workflow=ny-room-price&node=model", "compare": version + "/compare",
		"action": version + "/actions/unpublish", "config-missing": version + "/config", "error": at + "/nothing", "sign-in": signIn(t),
		"create": at + "/create", "requests-failed": version + "/requests",
	} {
		p.shoot(filepath.Join("trouble", name), func() { p.open(url); p.awaitRole("main", "") })
	}
}

// shoot writes the pictures of a page that open opens.
func (p *page) shoot(name string, open func()) {
	p.t.Helper()
	for suffix, l := range map[string]look{
		"light": desktop, "dark": {width: desktop.width, height: desktop.height, dark: true}, "360": {width: 360, height: 740},
	} {
		p.see(l)
		open()
		p.picture(filepath.Join(*shots, name+"-"+suffix+".png"))
	}
}

// keepSending sends requests, so that the pictures have numbers, until the returned function is called.
func (e event) keepSending(rpc, data string) (end func()) {
	var sending sync.WaitGroup
	over := make(chan struct{})
	sending.Go(func() {
		ticks := time.NewTicker(100 * time.Millisecond)
		defer ticks.Stop()
		for {
			select {
			case <-over:
				return
			case <-ticks.C:
				response, err := http.Post("http://"+e.Web+"/"+rpc, "application/json", strings.NewReader(data))
				if err == nil {
					_ = response.Body.Close()
				}
			}
		}
	})
	return func() { close(over); sending.Wait() }
}
