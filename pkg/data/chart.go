package data

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"time"

	wire "krt.dev/kn-krt/pkg/runner/store"
)

// ChartQuery requests the values of a field of measurements over time.
type ChartQuery struct {
	// Name is the measurements', Field the field whose numbers are aggregated.
	Name, Field string
	// Aggregate is how the values of an interval become one: mean, sum, min, max, count or last.
	Aggregate string
	From, To  time.Time
	// Step is the length of an interval: whole seconds. Intervals begin at multiples of it since
	// 1970.
	Step time.Duration
	// Tags are those that the measurements must have, By those for whose values there is a series
	// each.
	Tags map[string]string
	By   []string
}

// Series is the values of a field over time, of the measurements with the same tags.
type Series struct {
	Tags   map[string]string `json:"tags"`
	Points []Point           `json:"points"`
}

// Point is the value of an interval, which begins at Time.
type Point struct {
	Time  time.Time   `json:"time"`
	Value json.Number `json:"value"`
}

// Chart returns what q requests. A store that only forwards measurements refuses, with an
// [*Error] of status 501.
func (c *Client) Chart(ctx context.Context, q ChartQuery) ([]Series, error) {
	values := url.Values{
		"name": {q.Name}, "field": {q.Field}, "aggregate": {q.Aggregate}, "by": q.By,
		"from": {q.From.UTC().Format(time.RFC3339Nano)}, "to": {q.To.UTC().Format(time.RFC3339Nano)}, "step": {q.Step.String()},
	}
	for name, value := range q.Tags {
		values.Add("tag", name+"="+value)
	}
	var response struct{ Series []Series }
	if err := c.send(ctx, message{path: wire.PathChart + "?" + values.Encode()}, &response); err != nil {
		return nil, fmt.Errorf("cannot read the measurements %q: %w", q.Name, err)
	}
	return response.Series, nil
}
