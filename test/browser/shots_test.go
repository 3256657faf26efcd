package browser

import (
	"path/filepath"
	"testing"
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
		{name: "status", shows: "price-estimator-v1"},
		{name: "versions", page: "../../../..", shows: "price-estimator-v1"},
		{name: "config", page: "config", shows: "OUTPUT_PRICE_CURRENCY"},
		{name: "history", page: "history", shows: "Published in local"},
		{name: "predictions", page: "predictions", shows: "Confusion matrix", before: func(p *page) {
			eval[bool](p, "document.querySelector('figure').scrollIntoView(), true")
		}},
		{name: "try", page: "try", shows: "Request", before: func(p *page) {
			p.press("button", "Send")
			p.awaitText("#try-result", "OK")
		}},
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
	for range 5 {
		ready.send(t, "roomprice.Entrypoint/MakePrediction", `{"borough":"Queens","accommodates":2,"bedrooms":1}`)
	}
	v.savePredictions(ready.Version, 300, neighbourhoods(5))
	for _, s := range pictures() {
		p := newPage(t, desktop)
		for suffix, l := range map[string]look{
			"light": desktop, "dark": {width: desktop.width, height: desktop.height, dark: true}, "360": {width: 360, height: 740},
		} {
			p.see(l)
			p.open(v.of(ready.Version, s.page))
			p.awaitText("body", s.shows)
			if s.before != nil {
				s.before(p)
			}
			p.picture(filepath.Join(*shots, s.name+"-"+suffix+".png"))
		}
	}
}
