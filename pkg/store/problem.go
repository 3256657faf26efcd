package store

import (
	"errors"
	"fmt"
	"net/http"
	"time"
)

// Problem is an error that the client gets as it is. All others are failures of the
// store, which it logs.
type Problem struct {
	// Status is that of the HTTP response.
	Status int
	Text   string
}

func (p *Problem) Error() string { return p.Text }

// ErrExists is the error for a document whose "_id" is in its collection.
var ErrExists = errors.New("a document with this _id is in the collection already")

// Refuse returns a Problem of the client's own: status 400.
func Refuse(format string, args ...any) error {
	return &Problem{http.StatusBadRequest, fmt.Sprintf(format, args...)}
}

// Unavailable returns a Problem for a database that does not respond, or that takes no
// more for now: status 503.
func Unavailable(format string, args ...any) error {
	return &Problem{http.StatusServiceUnavailable, fmt.Sprintf(format, args...)}
}

// IsUnavailable reports whether err is of [Unavailable].
func IsUnavailable(err error) bool {
	var p *Problem
	return errors.As(err, &p) && p.Status == http.StatusServiceUnavailable
}

// Beyond returns a Problem for the value of an interval that is no number of 64 bits, or whose sum
// on the way to it is none: status 422.
func Beyond(a Aggregate, start time.Time) error {
	return &Problem{http.StatusUnprocessableEntity, fmt.Sprintf(
		"the %s of the values from %s on is beyond a number of 64 bits: take a shorter step, or another aggregate",
		a, start.UTC().Format(time.RFC3339))}
}

// Full returns a Problem for a store that has no room: status 507.
func Full(format string, args ...any) error {
	return &Problem{http.StatusInsufficientStorage, fmt.Sprintf(format, args...)}
}

// BadCursor is the Problem for a cursor that a backend did not make.
func BadCursor() error { return Refuse("cursor: it is not one of this store") }
