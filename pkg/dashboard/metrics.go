package dashboard

import (
	"context"
	"errors"
	"net/http"
	"time"

	"krt.dev/kn-krt/pkg/dashboard/chart"
)

// metricsView is the charts of a version, each with its table.
type metricsView struct {
	chart.Choice
	// Problem is why there are none; nil if there are.
	Problem *failure
	// Range is the name of the time that is shown, Seconds how long it is.
	Range   string
	Seconds int
	Ranges  []rangeLink
	// Data is the path of the same as JSON.
	Data   string
	Charts *chart.Charts
}

func metricsPage() page {
	return page{
		name: "metrics", path: "metrics", title: "Metrics", tab: "Metrics",
		scripts: []string{"metrics.js"}, charts: true,
		view:   func(r *request) (any, error) { return newMetricsView(r) },
		live:   func(view any) []fragment { return []fragment{{id: "charts", template: "metrics-charts", data: view}} },
		follow: []follower{followRange, keepNumbers},
		files:  map[string]func(http.ResponseWriter, *request) error{"data": metricsData},
	}
}

// keepNumbers has the numbers read for as long as the page is open: the charts may be of those.
func keepNumbers(ctx context.Context, r *request, _ func()) error {
	return r.source.FollowNumbers(ctx, r.ref, func() {})
}

func newMetricsView(r *request) (*metricsView, error) {
	query, chosen := r.URL.Query(), chosenRange(r)
	choice := chart.Choice{Version: r.version, Workflow: query.Get("workflow"), Node: query.Get("node")}
	v := &metricsView{Choice: choice, Range: chosen.Name, Seconds: int(chosen.span.Seconds()), Charts: &chart.Charts{}}
	v.Ranges = chosen.links(r, "metrics", "workflow", v.Workflow, "node", v.Node)
	v.Data = r.link.Page(r.ref, "metrics/data", "range", v.Range, "workflow", v.Workflow, "node", v.Node)
	numbers, err := r.source.Chart(r.Context(), r.ref, chosen.until(time.Now()))
	if err != nil {
		v.Problem, err = inPage(err)
		return v, err
	}
	v.Charts = chart.New(numbers, choice)
	return v, nil
}

// metricsData serves the charts of the page as JSON.
func metricsData(w http.ResponseWriter, r *request) error {
	v, err := newMetricsView(r)
	if err == nil && v.Problem != nil {
		err = errors.New(v.Problem.Text)
	}
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	return v.Charts.WriteJSON(w)
}
