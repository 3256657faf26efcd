package source

import (
	"context"
	"errors"
	"net/http"

	"krt.dev/kn-krt/pkg/inspection"
)

// Letters is the right to replay and delete dead letters, see [Inspectors].
const Letters Action = "letters"

// Inspectors reach what an entrypoint has of the store and the queue for its version: dead letters
// (package letter/port) and what waits (package queue/port). It is a part of [Source].
type Inspectors interface {
	// Inspect calls f with the inspection port of one entrypoint of the version, and returns what
	// [OfPort] makes of its error. If none can be reached it is a [*RefusedError] that says why.
	Inspect(ctx context.Context, ref Ref, f func(context.Context, *inspection.Client) error) error
}

// NoLetterError is returned for a letter that is not kept, or not any more.
type NoLetterError struct{ Text string }

// Error says so.
func (e *NoLetterError) Error() string { return e.Text }

// OfPort is the error of a request to an inspection port as pages show it: what the port has refused is a
// [*RefusedError] with its text, and that it has no letter of that id a [*NoLetterError]. Away is what to do
// if the store or the queue does not respond, and older what to do if the port does not know such requests.
func OfPort(err error, away, older string) error {
	var said *inspection.StatusError
	if !errors.As(err, &said) {
		return err
	}
	switch said.Code {
	case http.StatusNotFound:
		if said.Text == unknownPath {
			return &RefusedError{Refusal: Unavailable, Text: "The entrypoint of this version is older than what this page shows.", Next: older}
		}
		return &NoLetterError{Text: "There is no such dead letter: it was replayed or deleted, or has expired."}
	case http.StatusServiceUnavailable:
		return &RefusedError{Refusal: Away, Text: err.Error() + ".", Next: away}
	case http.StatusConflict, http.StatusBadRequest:
		return &RefusedError{Text: err.Error() + "."}
	}
	return err
}

// unknownPath is the text of a server that has no such path (package net/http).
const unknownPath = "404 page not found"
