package dashboard

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"krt.dev/kn-krt/pkg/dashboard/chart"
	"krt.dev/kn-krt/pkg/dashboard/source"
)

// metricsView is the charts of a version, each with its table.
type metricsView struct {
	chart.Choice
	// Problem is why there are none, Next what to do about it.
	Problem, Next string
	// Range is the name of the time that is shown, Seconds how long it is.
	Range   string
	Seconds int
	Ranges  []rangeLink
	// Data is the path of the same as JSON.
	Data   string
	Charts *chart.Charts
}

// metricsRange is a time that is shown.
type metricsRange struct {
	Name, Text string
	span, step time.Duration
}

// metricsRanges are the times, each with an interval that gives about a hundred values. The
// store's measurements are of ten seconds.
func metricsRanges() []metricsRange {
	return []metricsRange{
		{"15m", "15 minutes", 15 * time.Minute, 10 * time.Second},
		{"1h", "1 hour", time.Hour, 30 * time.Second},
		{"6h", "6 hours", 6 * time.Hour, 3 * time.Minute},
		{"24h", "24 hours", 24 * time.Hour, 12 * time.Minute},
		{"7d", "7 days", 7 * 24 * time.Hour, time.Hour},
	}
}

func metricsPage() page {
	return page{
		name: "metrics", path: "metrics", title: "Metrics", tab: "Metrics",
		scripts: []string{"metrics.js"}, charts: true,
		view:   func(r *request) (any, error) { return newMetricsView(r) },
		live:   func(view any) []fragment { return []fragment{{id: "charts", template: "metrics-charts", data: view}} },
		follow: followMetrics,
		files:  map[string]func(http.ResponseWriter, *request) error{"data": metricsData},
	}
}

// followMetrics renders the charts again each time there is a new interval, or new numbers if they
// are those of now.
func followMetrics(ctx context.Context, r *request, changed func()) error {
	ended := make(chan error, 1)
	go func() { ended <- r.source.FollowNumbers(ctx, r.ref, func() {}) }()
	every := time.NewTicker(max(chosenRange(r).step, 10*time.Second))
	defer every.Stop()
	for {
		select {
		case err := <-ended:
			return err
		case <-every.C:
			changed()
		}
	}
}

// chosenRange is the time that the query names; an hour if it names none.
func chosenRange(r *request) metricsRange {
	all, name := metricsRanges(), r.URL.Query().Get("range")
	if at := slices.IndexFunc(all, func(m metricsRange) bool { return m.Name == name }); at >= 0 {
		return all[at]
	}
	return all[1]
}

func newMetricsView(r *request) (*metricsView, error) {
	query, chosen := r.URL.Query(), chosenRange(r)
	choice := chart.Choice{Version: r.version, Workflow: query.Get("workflow"), Node: query.Get("node")}
	v := &metricsView{Choice: choice, Range: chosen.Name, Seconds: int(chosen.span.Seconds()), Charts: &chart.Charts{}}
	for _, one := range metricsRanges() {
		path := r.link.Page(r.ref, "metrics", "range", one.Name, "workflow", v.Workflow, "node", v.Node)
		v.Ranges = append(v.Ranges, rangeLink{Text: one.Text, Path: path, Current: one.Name == v.Range})
	}
	v.Data = r.link.Page(r.ref, "metrics/data", "range", v.Range, "workflow", v.Workflow, "node", v.Node)
	now := time.Now()
	numbers, err := r.source.Chart(r.Context(), r.ref, source.Span{From: now.Add(-chosen.span), To: now, Step: chosen.step})
	var unknown *source.NotFoundError
	if errors.As(err, &unknown) {
		return nil, err
	}
	if err != nil {
		f := explain(err)
		v.Problem, v.Next = f.Text, f.Next
		return v, nil
	}
	v.Charts = chart.New(numbers, choice)
	return v, nil
}

// metricsData serves the charts of the page as JSON.
func metricsData(w http.ResponseWriter, r *request) error {
	v, err := newMetricsView(r)
	if err == nil && v.Problem != "" {
		err = errors.New(v.Problem)
	}
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	return v.Charts.WriteJSON(w)
}
