package store

import (
	"context"
	"encoding/json"
	"time"

	"krt.dev/kn-krt/pkg/data/quality"
	wire "krt.dev/kn-krt/pkg/runner/store"
	"krt.dev/kn-krt/pkg/runner/store/query"
)

// Origin is who saves something. The runtime is part of every key: what one runtime saves,
// no other one finds. All versions of a runtime share what they save.
type Origin struct {
	// Runtime is the namespace on a cluster, "local" in a local run.
	Runtime string
	wire.Origin
	// Owner says that the client owns the runtime, and may save what a version has saved elsewhere.
	Owner bool
}

// Page selects the part of a result that one response has.
type Page struct {
	// Limit and Bytes limit what the page has; its first entry may be larger than Bytes.
	Limit, Bytes int
	// Until is when the page ends even if nothing was found so far. Zero is never.
	Until time.Time
	// Cursor is where the page begins: the Next of the page before, or empty. A backend
	// refuses one that it did not make.
	Cursor string
}

// Part is the part of a deletion that is done at a time: it may take longer than a request.
type Part struct {
	// Until is when it ends, even if something is left. Zero is never.
	Until time.Time
	// Cursor is where it begins: the Next of the part before, or empty.
	Cursor string
}

// Over reports whether the part has to end.
func (p Part) Over() bool { return !p.Until.IsZero() && !time.Now().Before(p.Until) }

// Rest is the cursor of a deletion that begins anew where it was interrupted.
const Rest = "rest"

// Deleted is what a part of a deletion has deleted, also if it failed then.
type Deleted struct {
	Count int64
	// Next is the cursor of the part that is left; empty if there is none.
	Next string
}

// Groups deletes group by group, until nothing is left or the part has to end. A call of group
// deletes at most size entries, and returns how many; fewer are the last ones.
func (p Part) Groups(size int64, group func() (int64, error)) (done Deleted, err error) {
	for {
		n, err := group()
		done.Count += n
		if err != nil || n < size {
			return done, err
		}
		if p.Over() {
			done.Next = Rest
			return done, nil
		}
	}
}

// Collection is a named list of documents of a runtime.
type Collection struct {
	Runtime string `json:"runtime"`
	Name    string `json:"name"`
}

// CollectionSize is how many documents a collection has.
type CollectionSize struct {
	Collection
	Documents int64 `json:"documents"`
}

// Document is an object with an "_id", decoded with its numbers as json.Number.
type Document map[string]any

// Documents keeps documents. A backend is safe for concurrent use; it reports what the
// client can correct, and what it should see as it is, as a [Problem].
type Documents interface {
	// SaveDocument keeps a document. When it returns nil the document is committed: the end
	// of the program does not lose it. An "_id" that the collection has is ErrExists.
	SaveDocument(ctx context.Context, from Origin, coll string, document Document) error
	// FindDocuments returns a page of the documents of a collection that meet q, in the
	// order in which they were saved, with their "_id". Q has the meaning of package query,
	// without exception: a backend whose own operators differ narrows by them, and then
	// decides by q.Match.
	FindDocuments(ctx context.Context, in Collection, q query.Query, page Page) (wire.Found, error)
	// DeleteDocuments deletes the documents of a collection that meet q.
	DeleteDocuments(ctx context.Context, in Collection, q query.Query, part Part) (Deleted, error)
	// Collections lists the collections of a runtime, or of all if that is empty.
	Collections(ctx context.Context, runtime string) ([]CollectionSize, error)
	// ForgetDocuments deletes the documents saved before a time, of all runtimes if runtime
	// is empty, and returns how many they were.
	ForgetDocuments(ctx context.Context, runtime string, before time.Time) (int64, error)
}

// Prediction is a prediction and who saved it. Its Date is set.
type Prediction struct {
	wire.Prediction
	Runtime  string `json:"-"`
	Version  string `json:"version"`
	Node     string `json:"node"`
	Workflow string `json:"workflow"`
}

// Selection selects measurements or predictions of a runtime. Empty fields select all.
type Selection struct {
	Runtime string
	// Name is that of measurements.
	Name string
	// Version is that of the origin, of measurements the tag "version".
	Version string
	// From and To limit the time: From ≤ time < To.
	From, To time.Time
	// Tags are tags of measurements and their values.
	Tags map[string]string
	// Mirrored selects predictions by their mark.
	Mirrored Mirrored
}

// Listed is a page of measurements or predictions.
type Listed[T any] struct {
	Items []T
	// Next is the cursor of the next page; empty if there is none.
	Next string
}

// MaxNumber is the largest value of a prediction that is counted as a number, and -MaxNumber
// the smallest: sums of squares stay finite.
const MaxNumber = 1e100

// Counts are the numbers of predictions in one interval of time.
type Counts struct {
	// Start is the beginning of the interval, in UTC.
	Start time.Time
	// Total counts all; Missing those with the error missing_values, New those with
	// new_labels.
	Total, Missing, New int64
	// Labelled counts those without an error that have both values, Correct those of them
	// with equal ones.
	Labelled, Correct int64
	// Numbers counts the labelled ones whose values are both decimal numbers, of at most
	// [MaxNumber]. Absolute is the sum of |predicted - true| over them, Squared that of (predicted - true)².
	Numbers           int64
	Absolute, Squared float64
}

// Add adds the counts of another interval.
func (c *Counts) Add(other Counts) {
	c.Total += other.Total
	c.Missing += other.Missing
	c.New += other.New
	c.Labelled += other.Labelled
	c.Correct += other.Correct
	c.Numbers += other.Numbers
	c.Absolute += other.Absolute
	c.Squared += other.Squared
}

// Pair is how many labelled predictions have these values, as labels: see [LabelOf].
type Pair struct {
	True, Predicted string
	Count           int64
}

// Labelled is one prediction without an error that has both values, as labels.
type Labelled struct {
	Date            time.Time
	True, Predicted string
}

// Predictions keeps predictions.
type Predictions interface {
	// SavePredictions keeps predictions, all or none.
	SavePredictions(ctx context.Context, predictions []Prediction) error
	// ListPredictions returns a page of predictions in the order of their dates.
	ListPredictions(ctx context.Context, of Selection, page Page) (Listed[Prediction], error)
	// CountPredictions counts in intervals of step, which is a whole number of hours and starts
	// at multiples of it since 1970; those without predictions are left out. A step of zero
	// is one interval for all, which starts in 1970.
	CountPredictions(ctx context.Context, of Selection, step time.Duration) ([]Counts, error)
	// CountPairs returns the pairs of values, the most frequent ones first, at most limit. It
	// may leave out pairs of numbers that are no labels: see IsLabel.
	CountPairs(ctx context.Context, of Selection, limit int) ([]Pair, error)
	// CountVersions counts by version: those with the most predictions first, at most limit.
	CountVersions(ctx context.Context, of Selection, limit int) ([]quality.Version, error)
	// LatestLabelled returns labelled predictions, the latest first, at most limit.
	LatestLabelled(ctx context.Context, of Selection, limit int) ([]Labelled, error)
	// DeletePredictions deletes what is selected, of all runtimes if none is given.
	DeletePredictions(ctx context.Context, of Selection, part Part) (Deleted, error)
}

// MeasurementSink takes measurements. Line protocol has no more than this.
type MeasurementSink interface {
	// SaveMeasurements keeps measurements of a runtime, all or none. Their Time is set and
	// exact to their Precision, their fields are json.Number, string and bool, and their
	// tags include those of the origin. An integer has no point and no exponent.
	SaveMeasurements(ctx context.Context, runtime string, measurements []wire.Measurement) error
}

// Aggregate is how the values of an interval become one.
type Aggregate string

// The aggregates.
const (
	Mean  Aggregate = "mean"
	Sum   Aggregate = "sum"
	Min   Aggregate = "min"
	Max   Aggregate = "max"
	Count Aggregate = "count"
	Last  Aggregate = "last"
)

// MeasurementQuery requests the values of one field over time, for a chart.
type MeasurementQuery struct {
	Selection
	// Field is the field whose numbers are aggregated.
	Field string
	// By are the tags for whose values there is a series each.
	By []string
	// Step is the length of an interval; intervals start at multiples of it since 1970.
	Step time.Duration
	// Aggregate is how the values of an interval become one.
	Aggregate Aggregate
	// Limit limits the points of all series; more are a Problem.
	Limit int
}

// Series is the values of a field over time.
type Series struct {
	Tags   map[string]string `json:"tags,omitempty"`
	Points []Point           `json:"points"`
}

// Point is the value of an interval.
type Point struct {
	Time  time.Time   `json:"time"`
	Value json.Number `json:"value"`
}

// Measurements keeps measurements that can be read again.
type Measurements interface {
	MeasurementSink
	// ListMeasurements returns a page of measurements in the order of their times.
	ListMeasurements(ctx context.Context, of Selection, page Page) (Listed[wire.Measurement], error)
	// QueryMeasurements aggregates a field, in the order of tags and times.
	QueryMeasurements(ctx context.Context, q MeasurementQuery) ([]Series, error)
	// CountMeasurements returns how many are selected.
	CountMeasurements(ctx context.Context, of Selection) (int64, error)
	// DeleteMeasurements deletes what is selected, of all runtimes if none is given.
	DeleteMeasurements(ctx context.Context, of Selection, part Part) (Deleted, error)
}

// Meets reports whether a document, decoded by [Decode], meets q. When ctx is done before, the
// error is a Problem.
func Meets(ctx context.Context, q query.Query, document map[string]any) (bool, error) {
	met, err := q.MatchContext(ctx, document)
	if err != nil {
		return false, Unavailable("the documents could not be searched in time: narrow the query")
	}
	return met, nil
}

// Backend keeps all three kinds.
type Backend interface {
	Documents
	Predictions
	Measurements
	// Close closes the backend. Requests in flight fail.
	Close() error
}

// Backends are what keeps each kind; they may differ. A kind without one is refused.
type Backends struct {
	Documents   Documents
	Predictions Predictions
	// Measurements are kept by a MeasurementSink; they are listed and queried if it is
	// Measurements.
	Measurements MeasurementSink
	// Letters are those of entrypoints.
	Letters Letters
}

// All are the Backends of one that keeps all; also letters, if it can.
func All(b Backend) Backends {
	letters, _ := b.(Letters)
	return Backends{b, b, b, letters}
}
