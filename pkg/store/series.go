package store

import (
	"cmp"
	"database/sql"
	"encoding/json"
	"maps"
	"net/http"
	"strconv"
	"time"

	"krt.dev/kn-krt/pkg/runner/store"
)

const maxName = 256 // bytes of a measurement's name

func (s *Store) saveMeasurement(r *http.Request) (any, error) {
	var m store.Measurement
	if err := decode(r, &m); err != nil {
		return nil, err
	}
	unit, ok := precisions()[m.Precision]
	switch {
	case m.Name == "" || len(m.Name) > maxName:
		return nil, invalid("name: must have 1 to %d bytes", maxName)
	case len(m.Fields) == 0:
		return nil, invalid("fields: missing")
	case !ok:
		return nil, invalid("precision: %q is not one of ns, us, ms, s", m.Precision)
	}
	for name, value := range m.Fields {
		switch value.(type) {
		case json.Number, string, bool:
		default:
			return nil, invalid("fields: %q is not a number, string or boolean", name)
		}
	}
	when, err := instant(m.Time)
	if err != nil {
		return nil, err
	}
	from := origin(r)
	tags := map[string]string{"version": from.Version, "workflow": from.Workflow, "node": from.Node}
	maps.Copy(tags, m.Tags)
	fields, err := marshal(m.Fields)
	if err != nil {
		return nil, err
	}
	encodedTags, err := marshal(tags)
	if err != nil {
		return nil, err
	}
	return s.insert(r, "INSERT INTO measurements (name, time, fields, tags) VALUES (?, ?, ?, ?)",
		m.Name, when.Truncate(unit).Format(timeFormat), fields, encodedTags)
}

// precisions are the units of a measurement's time.
func precisions() map[string]time.Duration {
	return map[string]time.Duration{"": time.Nanosecond, "ns": time.Nanosecond, "us": time.Microsecond, "ms": time.Millisecond,
		"s": time.Second}
}

func (s *Store) savePrediction(r *http.Request) (any, error) {
	var p store.Prediction
	if err := decode(r, &p); err != nil {
		return nil, err
	}
	when, err := instant(p.Date)
	if err != nil {
		return nil, err
	}
	extra, err := marshal(p.Extra)
	if err != nil {
		return nil, err
	}
	from := origin(r)
	return s.insert(r,
		"INSERT INTO predictions (date, predicted_value, true_value, extra, error, version, node, workflow) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
		when.Format(timeFormat), p.PredictedValue, p.TrueValue, extra, p.Error, from.Version, from.Node, from.Workflow)
}

func (s *Store) insert(r *http.Request, statement string, args ...any) (any, error) {
	result, err := s.write(r.Context(), statement, args...)
	if err != nil {
		return nil, err
	}
	id, err := result.LastInsertId()
	return saved{ID: strconv.FormatInt(id, 10)}, err
}

// instant returns t, or now if that is zero, in UTC.
func instant(t time.Time) (time.Time, error) {
	if t.IsZero() {
		t = time.Now()
	}
	t = t.UTC()
	if year := t.Year(); year < 0 || year > 9999 {
		return t, invalid("time: the year %d is not between 0 and 9999", year)
	}
	return t, nil
}

// listMeasurements returns all measurements, or those of the series that
// the parameter name selects, in the order of their time.
func (s *Store) listMeasurements(r *http.Request) (any, error) {
	name := r.URL.Query().Get("name")
	found, err := list(r.Context(), s, func(rows *sql.Rows) (store.Measurement, int, error) {
		var m store.Measurement
		var when, fields, tags string
		err := rows.Scan(&m.Name, &when, &fields, &tags)
		if err == nil {
			m.Time, err = time.Parse(timeFormat, when)
		}
		err = cmp.Or(err, unmarshal([]byte(fields), &m.Fields), unmarshal([]byte(tags), &m.Tags))
		return m, len(m.Name) + len(when) + len(fields) + len(tags), err
	}, "SELECT name, time, fields, tags FROM measurements WHERE ?1 = '' OR name = ?1 ORDER BY time, id", name)
	return map[string]any{"measurements": found}, err
}

// listed is a prediction and who saved it.
type listed struct {
	store.Prediction
	Version  string `json:"version"`
	Node     string `json:"node"`
	Workflow string `json:"workflow"`
}

// listPredictions returns all predictions, in the order of their date.
func (s *Store) listPredictions(r *http.Request) (any, error) {
	found, err := list(r.Context(), s, func(rows *sql.Rows) (listed, int, error) {
		var p listed
		var when, extra string
		err := rows.Scan(&when, &p.PredictedValue, &p.TrueValue, &extra, &p.Error, &p.Version, &p.Node, &p.Workflow)
		if err == nil {
			p.Date, err = time.Parse(timeFormat, when)
		}
		err = cmp.Or(err, unmarshal([]byte(extra), &p.Extra))
		return p, len(when) + len(p.PredictedValue) + len(p.TrueValue) + len(extra), err
	}, "SELECT date, predicted_value, true_value, extra, error, version, node, workflow FROM predictions ORDER BY date, id")
	return map[string]any{"predictions": found}, err
}
