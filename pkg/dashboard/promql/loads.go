package promql

import (
	"context"
	"fmt"
	"net/url"
	"time"

	"krt.dev/kn-krt/pkg/dashboard/source"
	"krt.dev/kn-krt/pkg/monitoring"
)

const (
	// LoadsInterval is the time between two readings of the loads of all versions.
	LoadsInterval = 15 * time.Second
	// forgotten is after what time nobody is told of a reading any more.
	forgotten = time.Minute
)

// loads is a reading of the loads of all versions.
type loads struct {
	at  time.Time
	of  map[source.Ref]source.Load
	err error
}

// ReadLoads reads the loads of all versions in one query, unless that was done a moment ago: all
// who use the client share a reading.
func (c *Client) ReadLoads(ctx context.Context) {
	select {
	case c.turn <- struct{}{}:
		defer func() { <-c.turn }()
	case <-ctx.Done():
		return
	}
	now := time.Now()
	if last := c.loads.Load(); last != nil && now.Sub(last.at) < LoadsInterval/2 {
		return
	}
	series, err := c.send(ctx, "query", url.Values{"query": {queryLoads()}, "time": {unix(now)}})
	if ctx.Err() != nil {
		return // who has left says nothing about Prometheus
	}
	c.loads.Store(&loads{at: now, of: loadsOf(series), err: err})
}

// Loads returns the loads of those of the versions that are in the last reading, and where they
// come from or why there are none.
func (c *Client) Loads(refs []source.Ref) source.Loads {
	last := c.loads.Load()
	switch {
	case last == nil || time.Since(last.at) > forgotten:
		return source.Loads{}
	case last.err != nil:
		return source.Loads{Note: "There are no numbers: " + last.err.Error()}
	}
	all := source.Loads{Of: map[source.Ref]source.Load{}}
	all.Note = fmt.Sprintf("Numbers of the last %d minutes, from %s.", recent/time.Minute, from)
	for _, ref := range refs {
		if load, known := last.of[ref]; known {
			all.Of[ref] = load
		}
	}
	return all
}

// loadsOf are the loads that a query's result has.
func loadsOf(series []series) map[source.Ref]source.Load {
	all := map[source.Ref]source.Load{}
	for _, s := range series {
		if s.Value != nil && isNumber(s.Value.value) {
			ref := source.Ref{Namespace: s.Metric["namespace"], Name: s.Metric["version"]}
			load := all[ref]
			setLoad(&load, s.Metric[label], s.Value.value)
			all[ref] = load
		}
	}
	return all
}

// queryLoads is one query for the loads of all versions.
func queryLoads() string {
	const of = "namespace, version"
	rate := func(metric, selector string) string {
		return fmt.Sprintf("rate(%s{%s}[%ds])", metric, selector, int(recent.Seconds()))
	}
	return join([]part{
		{string(source.Requests), fmt.Sprintf("sum by (%s) (%s)", of, rate("krt_requests_total", ""))},
		{string(source.Errors), fmt.Sprintf("sum by (%s) (%s)", of, rate("krt_requests_total", "code=~"+quote(monitoring.ServerErrors)))},
		{string(source.Slowest), fmt.Sprintf("max by (%s) (histogram_quantile(0.95, sum by (%s, workflow, le) (%s)))", of, of,
			rate("krt_request_duration_seconds_bucket", ""))},
	})
}
