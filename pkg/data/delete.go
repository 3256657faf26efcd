package data

import (
	"context"
	"errors"
	"fmt"
)

// Deletion selects what is deleted: documents of a collection that meet a query, or all
// predictions, or the measurements of a name or all.
type Deletion struct {
	Kind       Kind           `json:"kind"`
	Collection string         `json:"collection,omitempty"`
	Query      map[string]any `json:"query,omitempty"`
	Name       string         `json:"name,omitempty"`
	// Cursor is where it goes on: the Next of the response before, or empty.
	Cursor string `json:"cursor,omitempty"`
}

// Deleted is the response to a deletion, which the store ends before it takes too long.
type Deleted struct {
	Deleted int64 `json:"deleted"`
	// Next is the cursor for what is left; empty if nothing is.
	Next string `json:"next,omitempty"`
}

// Counted is the response to a count, as [Deleted].
type Counted struct {
	Count int64  `json:"count"`
	Next  string `json:"next,omitempty"`
}

// Check returns an error unless all that d selects by belongs to its kind: what one kind does
// not have would be ignored, and too much deleted.
func (d Deletion) Check() error {
	switch {
	case d.Kind != Documents && d.Kind != Predictions && d.Kind != Measurements:
		return fmt.Errorf("%.20q is not documents, predictions or measurements", d.Kind)
	case d.Kind == Documents && d.Collection == "":
		return errors.New("a deletion of documents must name a collection")
	case d.Kind != Documents && (d.Collection != "" || len(d.Query) > 0):
		return fmt.Errorf("%s are not deleted by a collection or a query: only documents are", d.Kind)
	case d.Kind != Measurements && d.Name != "":
		return fmt.Errorf("%s are not deleted by a name: only measurements are", d.Kind)
	}
	return nil
}

// Count returns how many entries d would delete.
func (c *Client) Count(ctx context.Context, d Deletion) (int64, error) {
	n, err := parts(d, func(d Deletion) (int64, string, error) {
		var counted Counted
		err := c.send(ctx, message{path: PathCount, body: d}, &counted)
		return counted.Count, counted.Next, err
	})
	if err != nil {
		return 0, fmt.Errorf("cannot count what would be deleted: %w", err)
	}
	return n, nil
}

// Delete deletes what is selected, and returns how many entries that were, also if it fails.
func (c *Client) Delete(ctx context.Context, d Deletion) (int64, error) {
	n, err := parts(d, func(d Deletion) (int64, string, error) {
		var deleted Deleted
		err := c.send(ctx, message{path: PathDelete, body: d}, &deleted)
		return deleted.Deleted, deleted.Next, err
	})
	switch {
	case err != nil && n > 0:
		return n, fmt.Errorf("cannot delete more than %d: %w", n, err)
	case err != nil:
		return 0, fmt.Errorf("cannot delete: %w", err)
	}
	return n, nil
}

// parts does a deletion, or a count, part by part.
func parts(d Deletion, part func(Deletion) (n int64, next string, err error)) (sum int64, err error) {
	for {
		n, next, err := part(d)
		if sum += n; err != nil || next == "" {
			return sum, err
		}
		d.Cursor = next
	}
}
