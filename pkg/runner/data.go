package runner

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"krt.dev/kn-krt/pkg/runner/store"
	"krt.dev/kn-krt/pkg/runner/store/bsontag"
)

// lossTime bounds how long a measurement or a prediction waits for the store: it is lost then, and the handler goes on, so
// that a store that hangs does not use up a request's time. Documents wait as long as the client of the store does, as in
// Python (_krt_runner/store.py), and all of them no longer than the request may take.
const lossTime = 3 * time.Second

// Measurement saves measurements of the node.
type Measurement struct{ c *HandlerContext }

// Save saves a measurement with the current time: fields are its values, tags select
// it in queries. The tag version is added, and workflow and node unless tags have them.
// Fields that are nil or not a number (NaN, infinite) are left out. A []byte is
// saved as a string, a time.Time in RFC 3339, and any other value that is not a
// number, string or boolean, or that has a String method, as fmt's %v prints it.
// Without a store (KRT_STORE) the measurement is logged. The error, which is logged
// too, names the measurement and, if one is the cause, the field.
func (m *Measurement) Save(name string, fields map[string]any, tags map[string]string) error {
	c := m.c
	kept, err := fieldValues(fields)
	switch {
	case err != nil:
		err = fmt.Errorf("cannot save the measurement %q: %w", name, err)
	case c.node.store == nil:
		c.Logger.Slog().Info("measurement", "name", name, "fields", kept, "tags", tags)
	default:
		ctx, cancel := context.WithTimeout(c.Context(), lossTime)
		defer cancel()
		err = c.node.store.SaveMeasurement(ctx, c.origin(), store.Measurement{
			Name: name, Fields: kept, Tags: tags, Time: time.Now().UTC(),
		})
	}
	if err != nil {
		// KRT V1's Save returned nothing, so most handlers ignore the error.
		c.own.Slog().Error("measurement lost", "error", err)
	}
	return err
}

// SaveMetricErr is the reason why a prediction has no values.
type SaveMetricErr string

// The reasons of KRT V1.
const (
	ErrMissingValues SaveMetricErr = "missing_values"
	ErrNewLabels     SaveMetricErr = "new_labels"
)

// IsValid returns an error unless e is one of KRT V1's reasons.
func (e SaveMetricErr) IsValid() error {
	if e == ErrMissingValues || e == ErrNewLabels {
		return nil
	}
	return fmt.Errorf("invalid SaveMetricErr: %q is neither %q nor %q", string(e), ErrMissingValues, ErrNewLabels)
}

// Prediction saves the predictions of a classifier, from which its quality is
// computed.
type Prediction struct{ c *HandlerContext }

// Save saves a predicted value and the true one. Without a store (KRT_STORE) the
// prediction is logged, and there is no error.
func (p *Prediction) Save(date time.Time, predictedValue, trueValue string) error {
	return p.save(store.Prediction{Date: date, PredictedValue: predictedValue, TrueValue: trueValue})
}

// SaveError saves why a prediction could not be made. A reason that is not KRT V1's
// is an error. Without a store (KRT_STORE) the reason is logged.
func (p *Prediction) SaveError(reason SaveMetricErr) error {
	if err := reason.IsValid(); err != nil {
		p.c.Logger.Error(err.Error())
		return err
	}
	return p.save(store.Prediction{Date: time.Now().UTC(), Error: string(reason)})
}

func (p *Prediction) save(doc store.Prediction) error {
	c := p.c
	if c.node.store == nil {
		c.Logger.Slog().Info("prediction", "date", doc.Date, "predicted_value", doc.PredictedValue,
			"true_value", doc.TrueValue, "error", doc.Error)
		return nil
	}
	ctx, cancel := context.WithTimeout(c.Context(), lossTime)
	defer cancel()
	if err := c.node.store.SavePrediction(ctx, c.origin(), doc); err != nil {
		// KRT V1's Save returned nothing, so most handlers ignore the error.
		c.own.Slog().Error("prediction lost", "error", err)
		return err
	}
	return nil
}

// QueryData is a query of [DB.Find]: values by field.
type QueryData map[string]any

// DB saves and finds the documents of the version.
type DB struct{ c *HandlerContext }

var errNoStore = errors.New("no store configured: set KRT_STORE to the store's URL (unix:///path, http://host:port or https://host:port)")

// Save saves data, which encoding/json must write as an object, as a document of
// the collection coll. A field goes by the name in its json tag, else by that in its bson
// tag. Without a store (KRT_STORE) it returns an error.
func (d *DB) Save(coll string, data any) error {
	if d.c.node.store == nil {
		return errNoStore
	}
	text, err := bsontag.Marshal(data)
	if err != nil {
		return fmt.Errorf("cannot save in the collection %q: %w", coll, err)
	}
	_, err = d.c.node.store.Save(d.c.Context(), d.c.origin(), coll, text)
	return err
}

// Find reads the documents of the collection coll that match query into res, a
// pointer to a slice of structs or maps, as encoding/json would; a field of a struct goes by
// the name in its bson tag, else by that of JSON. A field of the query is a key, or keys
// joined by dots; its value must equal the document's, or is a map of MongoDB's operators:
// $eq $ne $gt $gte $lt $lte $in $nin $exists $regex $elemMatch $size $all $not. All fields
// must match; $and and $or join queries. Without a store (KRT_STORE) Find returns an error.
func (d *DB) Find(coll string, query QueryData, res any) error {
	if d.c.node.store == nil {
		return errNoStore
	}
	documents, err := d.c.node.store.FindJSON(d.c.Context(), d.c.origin(), coll, query)
	if err == nil {
		err = json.Unmarshal(bsontag.ForReading(documents, res), res)
	}
	if err != nil {
		return fmt.Errorf("cannot find in the collection %q: %w", coll, err)
	}
	return nil
}

// origin is what the store records about the node that saves.
func (c *HandlerContext) origin() store.Origin {
	return store.Origin{Version: c.node.version, Node: c.node.name, Workflow: c.Workflow(), Mirror: c.Mirrored()}
}
