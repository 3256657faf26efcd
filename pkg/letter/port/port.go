// Package port is the client of a version's letters at the inspection port of its entrypoint: no
// credential of the store is needed there, and messages are decoded.
package port

import (
	"context"
	"fmt"
	"net/http"

	"krt.dev/kn-krt/pkg/inspection"
	"krt.dev/kn-krt/pkg/letter"
)

// root is the first part of all paths.
const root = "letters"

// Letter is what is kept of a request: its result or a dead letter; and its message as JSON.
type Letter struct {
	letter.Letter

	// Payload is the message in Data, decoded; nil if there is none.
	Payload *inspection.Payload `json:"payload,omitempty"`
}

// Client reads the letters of a version.
type Client struct {
	// Port is the inspection port.
	Port *inspection.Client
}

// List returns a page of the version's letters, newest first, without their messages.
func (c Client) List(ctx context.Context, kind letter.Kind, of letter.Selection) (page letter.Page, err error) {
	of.Version = "" // the port has those of one version
	if err = c.Port.Read(ctx, of.Values(), &page, root, string(kind)); err != nil {
		return page, fmt.Errorf("cannot list %s: %w", plural(kind), err)
	}
	return page, nil
}

func plural(kind letter.Kind) string {
	if kind == letter.Dead {
		return "dead letters"
	}
	return "results"
}

// Get returns a letter with its message. The error is an [inspection.StatusError] of 404 if there is none.
func (c Client) Get(ctx context.Context, kind letter.Kind, id string) (*Letter, error) {
	l := &Letter{}
	if err := c.Port.Read(ctx, nil, l, root, string(kind), id); err != nil {
		return nil, fmt.Errorf("cannot get it from the %s: %w", plural(kind), err)
	}
	return l, nil
}

// Delete deletes a letter. The error is an [inspection.StatusError] of 404 if there is none.
func (c Client) Delete(ctx context.Context, kind letter.Kind, id string) error {
	return c.Port.Do(ctx, http.MethodDelete, root, string(kind), id)
}

// Replay has a dead letter replayed: its event goes to the step that failed again. It returns once the work
// has begun. The error is an [inspection.StatusError] of 404 if there is none, of 409 if it cannot be replayed.
func (c Client) Replay(ctx context.Context, id string) error {
	return c.Port.Do(ctx, http.MethodPost, root, string(letter.Dead), id, "replay")
}
