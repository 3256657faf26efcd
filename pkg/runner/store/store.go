// Package store is the client of the store behind a node's measurements,
// predictions and documents, and the one definition of what goes over the wire:
// JSON over HTTP, on a Unix socket in a local run.
package store

import "time"

// Paths of the store's API. All take POST with a JSON body; the first two also
// GET, which reads back what was saved.
const (
	PathMeasurements = "/v1/measurements"
	PathPredictions  = "/v1/predictions"
	PathCollections  = "/v1/collections/" // + name to save, + name + "/find" to find
)

// Headers that say who saves.
const (
	HeaderVersion  = "Krt-Version"
	HeaderNode     = "Krt-Node"
	HeaderWorkflow = "Krt-Workflow"
)

// Origin says who saves.
type Origin struct {
	Version, Node, Workflow string
}

// Measurement is one point of a series.
type Measurement struct {
	// Name is the series' name; required.
	Name string `json:"name"`
	// Fields are the values: numbers, strings, booleans; at least one.
	Fields map[string]any `json:"fields"`
	// Tags are what to select by.
	Tags map[string]string `json:"tags,omitempty"`
	// Time is when it was measured; zero means when it is saved.
	Time time.Time `json:"time,omitzero"`
	// Precision is the unit to which Time is meant: ns, us, ms or s; empty is ns.
	Precision string `json:"precision,omitempty"`
}

// Prediction is a predicted value and what turned out true, or why there is
// none.
type Prediction struct {
	PredictedValue string         `json:"predicted_value"`
	TrueValue      string         `json:"true_value"`
	Extra          map[string]any `json:"extra,omitempty"`
	// Date is when it was predicted; zero means when it is saved.
	Date time.Time `json:"date,omitzero"`
	// Error is empty, missing_values or new_labels.
	Error string `json:"error,omitempty"`
}

// Saved answers a document that was saved.
type Saved struct {
	ID string `json:"id"`
}

// FindRequest asks for the documents that match a query: see [ParseQuery].
type FindRequest struct {
	Query map[string]any `json:"query"`
}

// Failure is the body of every answer with a status of 400 and above.
type Failure struct {
	Error string `json:"error"`
}
