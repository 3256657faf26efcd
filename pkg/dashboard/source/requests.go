package source

import (
	"context"
	"fmt"

	"krt.dev/kn-krt/pkg/inspection"
)

// RequestKeepers know the last requests of a version: each of its entrypoints keeps some. It is a
// part of [Source]. If no entrypoint can be asked, the error is a [*RefusedError] that says why.
type RequestKeepers interface {
	// Requests returns the requests that f selects, newest first, and a sentence for each
	// entrypoint that could not be asked.
	Requests(ctx context.Context, ref Ref, f inspection.Filter) (list []inspection.Request, notes []string, err error)
	// Request returns one with its messages, as far as they are kept. If there is none the error is
	// a [*NoRequestError].
	Request(ctx context.Context, ref Ref, id string) (*KeptRequest, error)
	// FollowRequests passes on the requests that f selects: those that are kept, oldest first, then
	// new ones, until ctx is done or no entrypoint can be asked any more.
	FollowRequests(ctx context.Context, ref Ref, f inspection.Filter, to RequestHandler) error
}

// RequestHandler receives requests. Its functions are called one at a time.
type RequestHandler struct {
	Request func(inspection.Request)
	// Lost receives how many requests were missed, because they came faster than they were read.
	Lost func(n int)
	// Note receives a sentence about an entrypoint that cannot be asked.
	Note func(text string)
}

// Line passes on what a line of followed requests says.
func (h RequestHandler) Line(l inspection.Line) error {
	if l.Lost > 0 {
		h.Lost(l.Lost)
	}
	if l.Request != nil {
		h.Request(*l.Request)
	}
	return nil
}

// KeptRequest is a request with its messages.
type KeptRequest struct {
	inspection.Request
	// Unkept is what to do so that messages are kept, in sentences; for a request that has none.
	Unkept string
}

// NoRequestError is returned for a request that is not kept, or not kept any more.
type NoRequestError struct {
	ID string
	// Text says in a sentence what is kept.
	Text string
}

// Error names the request.
func (e *NoRequestError) Error() string { return e.Text }

// NewNoRequestError is the error of a version whose entrypoints do not keep the request.
func NewNoRequestError(ref Ref, id string) *NoRequestError {
	return &NoRequestError{ID: id, Text: fmt.Sprintf("version %s does not keep a request %.64q: an entrypoint keeps its last %d requests",
		ref.Name, id, inspection.MaxRequests)}
}
