package dashboard

import (
	"context"
	"slices"
	"time"

	"krt.dev/kn-krt/pkg/dashboard/source"
)

// chartRange is a time that charts show.
type chartRange struct {
	Name, Text string
	span, step time.Duration
}

// chartRanges are the times, each with an interval that gives about a hundred values. The store's
// measurements are of ten seconds.
func chartRanges() []chartRange {
	return []chartRange{
		{"15m", "15 minutes", 15 * time.Minute, 10 * time.Second},
		{"1h", "1 hour", time.Hour, 30 * time.Second},
		{"6h", "6 hours", 6 * time.Hour, 3 * time.Minute},
		{"24h", "24 hours", 24 * time.Hour, 12 * time.Minute},
		{"7d", "7 days", 7 * 24 * time.Hour, time.Hour},
	}
}

// chosenRange is the time that the query names; an hour if it names none.
func chosenRange(r *request) chartRange {
	all, name := chartRanges(), r.URL.Query().Get("range")
	if at := slices.IndexFunc(all, func(one chartRange) bool { return one.Name == name }); at >= 0 {
		return all[at]
	}
	return all[1]
}

// until is the time that ends now.
func (c chartRange) until(now time.Time) source.Span {
	return source.Span{From: now.Add(-c.span), To: now, Step: c.step}
}

// rangeLink is a time that can be chosen.
type rangeLink struct {
	Text, Path string
	Current    bool
}

// links lead to the page with each time, c being the present one. The pairs are the rest of the
// query.
func (c chartRange) links(r *request, below string, pairs ...string) (all []rangeLink) {
	for _, one := range chartRanges() {
		path := r.link.Page(r.ref, below, slices.Concat(pairs, []string{"range", one.Name})...)
		all = append(all, rangeLink{Text: one.Text, Path: path, Current: one.Name == c.Name})
	}
	return all
}

// followRange is for pages that show a chosen time: they are rendered again each time there is a new
// interval.
func followRange(ctx context.Context, r *request, changed func()) error {
	every := time.NewTicker(max(chosenRange(r).step, 10*time.Second))
	defer every.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-every.C:
			changed()
		}
	}
}
