package service

import (
	"container/list"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"krt.dev/kn-krt/pkg/store"
)

const (
	// maxSeries limits the nodes whose predictions are counted, each with its workflow and version: nodes write these
	// names. Those of further ones are counted as of otherSeries.
	maxSeries   = 2000
	otherSeries = "other"
	// seriesTime is for how long a node without predictions keeps its series from others, where there are too many.
	seriesTime = time.Hour
)

// predictions counts predictions by who saved them and how good they are.
type predictions struct {
	*prometheus.CounterVec

	mu    sync.Mutex
	known map[predictor]*list.Element
	order list.List // of type counted; the one that was counted last is last
}

// predictor is the namespace, version, workflow and node of predictions.
type predictor [4]string

// counted is who saved predictions, and when the last of them was counted.
type counted struct {
	of   predictor
	last time.Time
}

func newPredictions() *predictions {
	return &predictions{
		CounterVec: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "krt_predictions_total",
			Help: "Predictions that nodes saved, without those of mirrored requests, by result: hit and miss for those with a true value, " +
				"unlabelled for those without one, missing_values and new_labels for those with such an error.",
		}, []string{"namespace", "version", "workflow", "node", "result"}),
		known: map[predictor]*list.Element{},
	}
}

// count counts a prediction that was kept, unless it was made for a copy of a request: that one
// says nothing about what clients got.
func (p *predictions) count(one store.Prediction) {
	if one.Mirror {
		return
	}
	of := predictor{one.Runtime, one.Version, strings.ToValidUTF8(one.Workflow, "?"), strings.ToValidUTF8(one.Node, "?")}
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.admit(of, time.Now()) {
		of = predictor{otherSeries, otherSeries, otherSeries, otherSeries}
	}
	p.WithLabelValues(of[0], of[1], of[2], of[3], predicted(one)).Inc()
}

// admit reports whether predictions are counted by the names of who saved them. Where there are too many such names, the
// one that was counted last the longest ago makes room, if that was long enough ago: names that change all the time must
// not make series without end.
func (p *predictions) admit(of predictor, now time.Time) bool {
	if known := p.known[of]; known != nil {
		known.Value = counted{of, now}
		p.order.MoveToBack(known)
		return true
	}
	if len(p.known) >= maxSeries {
		oldest := p.order.Front()
		gone := oldest.Value.(counted)
		if now.Sub(gone.last) < seriesTime {
			return false
		}
		p.order.Remove(oldest)
		delete(p.known, gone.of)
		p.DeletePartialMatch(prometheus.Labels{
			"namespace": gone.of[0], "version": gone.of[1], "workflow": gone.of[2], "node": gone.of[3],
		})
	}
	p.known[of] = p.order.PushBack(counted{of, now})
	return true
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
