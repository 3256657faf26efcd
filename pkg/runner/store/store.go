// Package store is the client of the store for a node's measurements, predictions and
// documents, and the one definition of their wire format: JSON over HTTP, on a Unix
// socket in a local run.
package store

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"time"
)

// Paths of the store's API. All take POST with a JSON body; the first two also
// GET, which reads back what was saved.
const (
	PathMeasurements = "/v1/measurements"
	PathPredictions  = "/v1/predictions"
	PathSummary      = "/v1/predictions/summary"  // GET, with from, to, version, mirror, per (hour or day) and classes
	PathVersions     = "/v1/predictions/versions" // GET, with from, to and mirror: which versions have saved predictions
	PathSamples      = "/v1/predictions/samples"  // GET, with from, to, version, mirror and limit: predictions of numbers
	PathChart        = "/v1/measurements/query"   // GET, with name, field, from, to, step, aggregate, by and tag
	PathCollections  = "/v1/collections/"         // + name to save, + name + "/find" to find
)

// Headers with the [Origin]. That of Mirror is "1", or not there.
const (
	HeaderVersion  = "Krt-Version"
	HeaderNode     = "Krt-Node"
	HeaderWorkflow = "Krt-Workflow"
	HeaderMirror   = "Krt-Mirror"
)

// Origin is the version, node and workflow that save something.
type Origin struct {
	Version, Node, Workflow string
	// Mirror says that it is saved for a copy of a request that another version has served.
	Mirror bool
}

// TagMirror is the tag that measurements of such a copy have; its value is "true".
const TagMirror = "mirror"

// Measurement is one point of a series.
type Measurement struct {
	// Name is the series' name; required.
	Name string `json:"name"`
	// Fields are the values: numbers, strings, booleans; at least one.
	Fields map[string]any `json:"fields"`
	// Tags select measurements in queries. The store adds version, workflow and node of
	// the Origin, unless there are tags of these names.
	Tags map[string]string `json:"tags,omitempty"`
	// Time is when it was measured; zero means when it is saved.
	Time time.Time `json:"time,omitzero"`
	// Precision is the unit to which Time is exact: ns, us, ms or s; empty is ns.
	Precision string `json:"precision,omitempty"`
}

// Prediction is a predicted value and the true one, or why there is none.
type Prediction struct {
	PredictedValue string `json:"predicted_value"`
	TrueValue      string `json:"true_value"`
	// Extra is any JSON value.
	Extra any `json:"extra,omitempty"`
	// Date is when it was predicted; zero means when it is saved.
	Date time.Time `json:"date,omitzero"`
	// Error is empty, missing_values or new_labels.
	Error string `json:"error,omitempty"`
	// Mirror says that it was made for a copy of a request that another version has served.
	// The store sets it as the Origin has it.
	Mirror bool `json:"mirror,omitempty"`
}

// Saved is the response to a saved document. Its id is its field "_id".
type Saved struct {
	ID string `json:"id"`
}

// KeyID is the field of a document that is its id. The store sets it if the document
// has none.
const KeyID = "_id"

// NewID returns an id as MongoDB makes them: 24 hexadecimal digits. An id is greater
// than those made in earlier seconds.
func NewID() string {
	var id [12]byte
	binary.BigEndian.PutUint32(id[:], uint32(time.Now().Unix()))
	_, _ = rand.Read(id[4:]) // it never fails
	return hex.EncodeToString(id[:])
}

// DocumentID returns the id of document as text. It sets one if there is none.
func DocumentID(document map[string]any) string {
	switch id := document[KeyID].(type) {
	case string:
		return id
	case nil:
		made := NewID()
		document[KeyID] = made
		return made
	default:
		text, _ := json.Marshal(id)
		return string(text)
	}
}

// FindRequest requests the documents that match a query: see package query.
type FindRequest struct {
	Query map[string]any `json:"query"`
	// Limit requests a page of at most this many documents. Zero requests all at once, as
	// the nodes of before did; more than fit into one response are then an error.
	Limit int `json:"limit,omitempty"`
	// Cursor is the Next of the page before; empty for the first one.
	Cursor string `json:"cursor,omitempty"`
}

// Found is the response to a FindRequest.
type Found struct {
	Documents []json.RawMessage `json:"documents"`
	// Next is the cursor of the next page; empty if there is none. A page may have fewer
	// documents than were asked for, even none, and have a next one.
	Next string `json:"next,omitempty"`
}

// Failure is the body of every response with a status of 400 and above.
type Failure struct {
	Error string `json:"error"`
}
