// Package quality has what the store knows of how good predictions were. It is data, whoever
// counts it or shows it.
package quality

import "time"

// Summary says how good predictions were. Shares are between 0 and 1.
type Summary struct {
	// Total counts all predictions, MissingValues and NewLabels those with that error.
	Total         int64 `json:"total"`
	MissingValues int64 `json:"missing_values"`
	NewLabels     int64 `json:"new_labels"`
	// Labelled counts those that have a predicted and a true value, Correct those of them
	// with equal ones.
	Labelled int64 `json:"labelled"`
	Correct  int64 `json:"correct"`
	// Accuracy is absent if nothing is labelled.
	Accuracy *Accuracy `json:"accuracy,omitempty"`
	// Labels are the values, in their order. Numbers are labels if they are integers of at
	// most three digits. If only some classes were asked for, the last one may be [Others].
	Labels []Label `json:"labels"`
	// Classes is how many labels there are, also those that are in [Others].
	Classes int `json:"classes"`
	// Confusion has a pair of values each, the most frequent first.
	Confusion []Confusion `json:"confusion"`
	// Truncated is whether there are more pairs than Labels and Confusion are made of.
	Truncated bool `json:"truncated,omitempty"`
	// Numbers are there if all labelled values are numbers.
	Numbers *Numbers `json:"numbers,omitempty"`
	// Over are intervals of an hour or a day, if these were asked for.
	Over []Interval `json:"over,omitempty"`
}

// Accuracy is the share of correct predictions. Total and Micro are the same for single
// labels; Macro is the mean of all labels' recalls, Weighted that by their support.
type Accuracy struct {
	Total    Share   `json:"total"`
	Micro    float64 `json:"micro"`
	Macro    float64 `json:"macro"`
	Weighted float64 `json:"weighted"`
}

// Share is a part of a number of samples, with its Wilson interval of 95% below 100 samples.
type Share struct {
	Value    float64     `json:"value"`
	Interval *[2]float64 `json:"interval,omitempty"`
}

// Others is the label of all values beyond the classes that were asked for. No prediction has it:
// a value that is empty is missing.
const Others = ""

// Label is how well one value was predicted. What nothing is known of is absent. A value of more
// than 100 bytes is cut, and ends with a hash of all of it.
type Label struct {
	Label string `json:"label"`
	// Support counts the predictions with this true value, Predicted those that predicted it.
	Support   int64    `json:"support"`
	Predicted int64    `json:"predicted"`
	Precision *Share   `json:"precision,omitempty"`
	Recall    *Share   `json:"recall,omitempty"`
	F1        *float64 `json:"f1,omitempty"`
}

// Confusion is how often a true value was predicted as another one, or as itself.
type Confusion struct {
	True      string `json:"true"`
	Predicted string `json:"predicted"`
	Count     int64  `json:"count"`
}

// Numbers is how far predicted numbers were from the true ones: the mean absolute error and
// the root of the mean squared one.
type Numbers struct {
	Count int64   `json:"count"`
	MAE   float64 `json:"mae"`
	RMSE  float64 `json:"rmse"`
}

// Interval is an hour or a day.
type Interval struct {
	Start         time.Time `json:"start"`
	Total         int64     `json:"total"`
	MissingValues int64     `json:"missing_values"`
	NewLabels     int64     `json:"new_labels"`
	Labelled      int64     `json:"labelled"`
	Correct       int64     `json:"correct"`
	Accuracy      *Share    `json:"accuracy,omitempty"`
	Numbers       *Numbers  `json:"numbers,omitempty"`
}

// Version is a version that has saved predictions.
type Version struct {
	Name string `json:"version"`
	// Total is how many they are, from First to Last, both to the hour in which they were made.
	Total int64     `json:"total"`
	First time.Time `json:"first"`
	Last  time.Time `json:"last"`
}

// Sample is one prediction of a number.
type Sample struct {
	Date      time.Time `json:"date"`
	True      float64   `json:"true"`
	Predicted float64   `json:"predicted"`
}

// Selected selects predictions of the namespace. Zero fields select all.
type Selected struct {
	// From and To limit their dates: From ≤ date < To.
	From, To time.Time
	Version  string
}
