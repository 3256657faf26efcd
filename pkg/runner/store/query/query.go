// Package query is the one meaning of a query for documents: what is refused, and which
// documents are found. Every backend of the store, and what stands for the store in tests,
// is held to it.
package query

import "regexp"

// Limits of a query. A store is shared, so every query is limited.
const (
	MaxValues       = 256  // values and conditions in the whole query
	MaxDepth        = 8    // objects and arrays within a value, and queries within the query
	MaxPathKeys     = 16   // keys joined by dots
	MaxPatternBytes = 1024 // of a regular expression
	MaxPatternSize  = 2000 // instructions of a regular expression
)

// Operator is how a field of a document is compared, or how queries are joined.
type Operator string

// The operators, with MongoDB's meaning.
const (
	Equal          Operator = "$eq" // also that of a field without an operator
	NotEqual       Operator = "$ne"
	Greater        Operator = "$gt"
	GreaterOrEqual Operator = "$gte"
	Less           Operator = "$lt"
	LessOrEqual    Operator = "$lte"
	In             Operator = "$in"
	NotIn          Operator = "$nin"
	Exists         Operator = "$exists"
	Regex          Operator = "$regex" // may have a second one, $options
	ElemMatch      Operator = "$elemMatch"
	Size           Operator = "$size"
	All            Operator = "$all"
	Not            Operator = "$not"
	And            Operator = "$and"
	Or             Operator = "$or"
)

// Condition is one thing that a document must meet.
type Condition struct {
	// Path is the keys of the field, which a query joins by dots. It is empty for And and
	// Or, and for conditions on the elements of an array themselves.
	Path []string
	// Op is the comparison.
	Op Operator
	// Value is compared with the field. It is as encoding/json decodes it, with numbers
	// as json.Number. In, NotIn and All have a []any, Exists a bool, Size an int, Regex
	// a string; And, Or, Not and ElemMatch have none.
	Value any
	// Options are those of Regex: none or more of i, m and s.
	Options string
	// Pattern is the compiled regular expression of Regex.
	Pattern *regexp.Regexp
	// Of are the queries that And and Or join. Not and ElemMatch have one: that of Not has
	// this condition's Path, that of ElemMatch is about an element of the array.
	Of []Query
}

// Query is a list of conditions, all of which a document must meet.
//
// The meaning is MongoDB's: a path goes through objects and, by an element's place or through
// all elements that are objects, through arrays; a field that holds an array meets a condition
// if one of its elements does, or, for equality, if the whole does; $ne, $nin and $not are
// the opposites of $eq, $in and what they contain; null equals a missing field; numbers
// compare by value, exactly for integers of 64 bits, and only values of the same type are ordered.
// The differences are: objects are equal in any order of their keys; only numbers, strings
// and booleans can be ordered; regular expressions are those of RE2.
type Query []Condition
