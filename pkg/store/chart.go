package store

import (
	"cmp"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// charted answers GET /v1/measurements/query?name&field&from&to&step&aggregate&by&tag.
func (s *Server) charted(r request) (any, error) {
	measurements, ok := s.backends.Measurements.(Measurements)
	if !ok {
		return nil, &Problem{http.StatusNotImplemented, "this store's measurements are read from their own database"}
	}
	values := r.values
	of, err := r.selected()
	if err != nil {
		return nil, err
	}
	q := MeasurementQuery{
		Selection: of, Field: values.Get("field"), By: values["by"], Limit: s.options.MaxResults,
		Aggregate: cmp.Or(Aggregate(values.Get("aggregate")), Mean),
	}
	q.Tags = map[string]string{}
	if q.Step, err = step(values.Get("step")); err != nil {
		return nil, err
	}
	if err := q.check(values["tag"]); err != nil {
		return nil, err
	}
	series, err := measurements.QueryMeasurements(r.Context(), q)
	return map[string]any{"series": append([]Series{}, series...)}, err
}

// step reads the length of an interval: 10s, 5m, 1h, or a number of seconds. Empty is a minute.
func step(text string) (time.Duration, error) {
	d, err := time.ParseDuration(cmp.Or(text, "1m"))
	if n, numErr := strconv.Atoi(text); numErr == nil {
		d, err = time.Duration(n)*time.Second, nil
	}
	if err != nil || d < time.Second || d%time.Second != 0 {
		return 0, Refuse("step: %q is not a number of whole seconds, or 10s, 5m, 1h", text)
	}
	return d, nil
}

// check checks what a query selects, and reads its tags, which are name=value.
func (q *MeasurementQuery) check(tags []string) error {
	switch {
	case q.Name == "" || q.Field == "":
		return Refuse("name and field: a query needs both")
	case !slices.Contains([]Aggregate{Mean, Sum, Min, Max, Count, Last}, q.Aggregate):
		return Refuse("aggregate: %q is not one of mean, sum, min, max, count, last", q.Aggregate)
	case len(tags)+len(q.By) > 16:
		return Refuse("tag and by: more than 16")
	}
	for _, text := range tags {
		name, value, ok := strings.Cut(text, "=")
		if !ok {
			return Refuse("tag: %q is not name=value", text)
		}
		q.Tags[name] = value
	}
	return nil
}
