package service

import (
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"krt.dev/kn-krt/pkg/store"
)

// maxSeries limits the nodes whose predictions are counted, each with its workflow and version:
// nodes write these names. Those of further ones are counted as of otherSeries.
const (
	maxSeries   = 2000
	otherSeries = "other"
)

// predictions counts predictions by who saved them and how good they are.
type predictions struct {
	*prometheus.CounterVec

	mu    sync.Mutex
	known map[[4]string]bool
}

func newPredictions() *predictions {
	return &predictions{
		CounterVec: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "krt_predictions_total",
			Help: "Predictions that nodes saved, without those of mirrored requests, by result: hit and miss for those with a true value, " +
				"unlabelled for those without one, missing_values and new_labels for those with such an error.",
		}, []string{"namespace", "version", "workflow", "node", "result"}),
		known: map[[4]string]bool{},
	}
}

// count counts a prediction that was kept, unless it was made for a copy of a request: that one
// says nothing about what clients got.
func (p *predictions) count(one store.Prediction) {
	if one.Mirror {
		return
	}
	of := [4]string{one.Runtime, one.Version, strings.ToValidUTF8(one.Workflow, "?"), strings.ToValidUTF8(one.Node, "?")}
	p.mu.Lock()
	if !p.known[of] && len(p.known) < maxSeries {
		p.known[of] = true
	}
	if !p.known[of] {
		of = [4]string{otherSeries, otherSeries, otherSeries, otherSeries}
	}
	p.mu.Unlock()
	p.WithLabelValues(of[0], of[1], of[2], of[3], predicted(one)).Inc()
}

// predicted is the result of a prediction, as the summary has it.
func predicted(p store.Prediction) string {
	switch {
	case p.Error == "missing_values" || p.Error == "new_labels":
		return p.Error
	case p.Error != "" || p.TrueValue == "" || p.PredictedValue == "":
		return "unlabelled"
	case p.TrueValue == p.PredictedValue:
		return "hit"
	}
	return "miss"
}
