package data

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	wire "krt.dev/kn-krt/pkg/runner/store"
)

// Imported is what an import has saved.
type Imported struct {
	// Saved is how many entries were saved, and Skipped how many documents were not, because
	// the collection has one with their _id.
	Saved, Skipped int
}

// Import saves the entries of an export, in the order of its lines. The error names the
// line; those before it were saved. Documents that are there are skipped, so an import of
// documents that was cut short can be repeated; of the other kinds it saves everything again.
func (c *Client) Import(ctx context.Context, from io.Reader) (done Imported, err error) {
	lines := bufio.NewScanner(from)
	lines.Buffer(nil, maxLine)
	n := 1
	for ; lines.Scan(); n++ {
		if len(bytes.TrimSpace(lines.Bytes())) == 0 {
			continue
		}
		err := c.importLine(ctx, lines.Bytes())
		var refused *Error
		switch {
		case err == nil:
			done.Saved++
		case errors.As(err, &refused) && refused.Status == http.StatusConflict:
			done.Skipped++
		default:
			return done, fmt.Errorf("line %d: %w", n, err)
		}
	}
	if err := lines.Err(); err != nil {
		return done, fmt.Errorf("line %d: %w", n, err)
	}
	return done, nil
}

func (c *Client) importLine(ctx context.Context, line []byte) error {
	var e Entry
	if err := json.Unmarshal(line, &e); err != nil || len(e.Value) == 0 {
		return errors.New("it is not an entry of an export")
	}
	switch e.Kind {
	case Documents:
		if unnamable(e.Collection) {
			return fmt.Errorf("the collection %q: that name cannot be used; change it in the line", e.Collection)
		}
		return c.save(ctx, wire.PathCollections+url.PathEscape(e.Collection), map[string]any{"data": e.Value}, nil)
	case Measurements:
		return c.save(ctx, wire.PathMeasurements, e.Value, nil)
	case Predictions:
		var from struct{ Version, Node, Workflow string }
		if err := json.Unmarshal(e.Value, &from); err != nil {
			return fmt.Errorf("it is not a prediction: %w", err)
		}
		header := http.Header{}
		header.Set(wire.HeaderVersion, from.Version)
		header.Set(wire.HeaderNode, from.Node)
		header.Set(wire.HeaderWorkflow, from.Workflow)
		return c.save(ctx, wire.PathPredictions, e.Value, header)
	}
	return fmt.Errorf("%.20q is not a kind of data", e.Kind)
}

// attempts is how often an entry is sent that the store has no room for yet.
const attempts = 20

// save sends an entry. While the store takes no more of this namespace, it waits.
func (c *Client) save(ctx context.Context, path string, body any, header http.Header) error {
	for attempt := 1; ; attempt++ {
		err := c.send(ctx, message{path, body, header}, nil)
		var refused *Error
		if !errors.As(err, &refused) || refused.Status != http.StatusTooManyRequests || attempt == attempts {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
	}
}
