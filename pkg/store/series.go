package store

import (
	"encoding/json"
	"maps"
	"strconv"
	"strings"
	"time"

	wire "krt.dev/kn-krt/pkg/runner/store"
)

const maxName = 256 // bytes of a measurement's name

func (s *Server) saveMeasurement(r request) (any, error) {
	var m wire.Measurement
	if err := r.decode(&m); err != nil {
		return nil, err
	}
	unit, ok := precisions()[m.Precision]
	switch {
	case m.Name == "" || len(m.Name) > maxName:
		return nil, Refuse("name: must have 1 to %d bytes", maxName)
	case len(m.Fields) == 0:
		return nil, Refuse("fields: missing")
	case !ok:
		return nil, Refuse("precision: %q is not one of ns, us, ms, s", m.Precision)
	}
	for name, value := range m.Fields {
		if err := checkField(name, value); err != nil {
			return nil, err
		}
	}
	when, err := instant(m.Time)
	if err != nil {
		return nil, err
	}
	if s.backends.Measurements == nil {
		return nil, notKept("measurements")
	}
	m.Time = when.Truncate(unit)
	m.Tags = tagged(m.Tags, r.from)
	return saved{}, s.backends.Measurements.SaveMeasurements(r.Context(), r.from.Runtime, []wire.Measurement{m})
}

// tagged returns tags with those of the origin, which a node may set itself, but for the
// version: as in the original, whose runner set that one tag after those of the node. Those of
// an import by an owner are of the version that saved the measurement.
func tagged(tags map[string]string, from Origin) map[string]string {
	all := map[string]string{"version": from.Version, "workflow": from.Workflow, "node": from.Node}
	if from.Mirror {
		all[wire.TagMirror] = "true"
	}
	maps.Copy(all, tags)
	if !from.Owner {
		all["version"] = from.Version
	}
	return all
}

func checkField(name string, value any) error {
	switch v := value.(type) {
	case json.Number:
		_, err := strconv.ParseInt(v.String(), 10, 64)
		if err != nil && !strings.ContainsAny(v.String(), ".eE") {
			return Refuse("fields: %q is an integer of more than 64 bits", name)
		}
		if f, err := v.Float64(); err != nil {
			return Refuse("fields: %q is %v, beyond a number of 64 bits", name, f)
		}
	case string, bool:
	default:
		return Refuse("fields: %q is not a number, string or boolean", name)
	}
	return nil
}

// precisions are the units of a measurement's time.
func precisions() map[string]time.Duration {
	return map[string]time.Duration{"": time.Nanosecond, "ns": time.Nanosecond, "us": time.Microsecond, "ms": time.Millisecond,
		"s": time.Second}
}

func (s *Server) savePrediction(r request) (any, error) {
	var p wire.Prediction
	if err := r.decode(&p); err != nil {
		return nil, err
	}
	var err error
	if p.Date, err = instant(p.Date); err != nil {
		return nil, err
	}
	if s.backends.Predictions == nil {
		return nil, notKept("predictions")
	}
	from := r.from
	p.Mirror = p.Mirror || from.Mirror
	kept := Prediction{p, from.Runtime, from.Version, from.Node, from.Workflow}
	err = s.backends.Predictions.SavePredictions(r.Context(), []Prediction{kept})
	if err == nil && s.options.Predicted != nil {
		s.options.Predicted(r.Context(), kept)
	}
	return saved{}, err
}

// instant returns t, or now if that is zero, in UTC.
func instant(t time.Time) (time.Time, error) {
	if t.IsZero() {
		t = time.Now()
	}
	t = t.UTC()
	if year := t.Year(); year < 0 || year > 9999 {
		return t, Refuse("time: the year %d is not between 0 and 9999", year)
	}
	return t, nil
}

// listMeasurements answers GET /v1/measurements?name&from&to&limit&cursor, in the order of their
// time.
func (s *Server) listMeasurements(r request) (any, error) {
	measurements, ok := s.backends.Measurements.(Measurements)
	if !ok {
		return nil, notKept("measurements that can be read")
	}
	page, paged, err := s.listed(r)
	if err != nil {
		return nil, err
	}
	of, err := r.selected()
	if err != nil {
		return nil, err
	}
	found, err := measurements.ListMeasurements(r.Context(), of, page)
	if err == nil && !paged && found.Next != "" {
		return nil, s.tooMany()
	}
	return struct {
		Measurements []wire.Measurement `json:"measurements"`
		Next         string             `json:"next,omitempty"`
	}{found.Items, found.Next}, err
}

// listPredictions answers GET /v1/predictions?version&mirror&from&to&limit&cursor, in the order of their
// date.
func (s *Server) listPredictions(r request) (any, error) {
	if s.backends.Predictions == nil {
		return nil, notKept("predictions")
	}
	page, paged, err := s.listed(r)
	if err != nil {
		return nil, err
	}
	of, err := r.predictions()
	if err != nil {
		return nil, err
	}
	found, err := s.backends.Predictions.ListPredictions(r.Context(), of, page)
	if err == nil && !paged && found.Next != "" {
		return nil, s.tooMany()
	}
	return struct {
		Predictions []Prediction `json:"predictions"`
		Next        string       `json:"next,omitempty"`
	}{found.Items, found.Next}, err
}
