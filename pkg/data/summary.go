package data

import (
	"context"
	"fmt"
	"net/url"
	"strconv"
	"time"

	"krt.dev/kn-krt/pkg/data/quality"
	wire "krt.dev/kn-krt/pkg/runner/store"
)

// values are the parameters of a selection.
func values(s quality.Selected) url.Values {
	set := url.Values{}
	for name, t := range map[string]time.Time{"from": s.From, "to": s.To} {
		if !t.IsZero() {
			set.Set(name, t.UTC().Format(time.RFC3339Nano))
		}
	}
	if s.Version != "" {
		set.Set("version", s.Version)
	}
	return set
}

// Summary summarizes predictions: per is "hour", "day", or empty for no intervals, and classes is
// how many labels it has at most; zero is all.
func (c *Client) Summary(ctx context.Context, of quality.Selected, per string, classes int) (*quality.Summary, error) {
	parameters, summary := values(of), &quality.Summary{}
	if per != "" {
		parameters.Set("per", per)
	}
	if classes > 0 {
		parameters.Set("classes", strconv.Itoa(classes))
	}
	if err := c.send(ctx, message{path: wire.PathSummary + "?" + parameters.Encode()}, summary); err != nil {
		return nil, fmt.Errorf("cannot summarize the predictions: %w", err)
	}
	return summary, nil
}

// Versions lists the versions that have saved predictions of a time, those with the most recent
// ones first; at most 200.
func (c *Client) Versions(ctx context.Context, of quality.Selected) ([]quality.Version, error) {
	var list struct{ Versions []quality.Version }
	if err := c.send(ctx, message{path: wire.PathVersions + "?" + values(of).Encode()}, &list); err != nil {
		return nil, fmt.Errorf("cannot list the versions that saved predictions: %w", err)
	}
	return list.Versions, nil
}

// Samples returns about limit predictions of numbers that have a true value, spread over the time
// that is selected, in the order of their dates. The selection needs both limits of time.
func (c *Client) Samples(ctx context.Context, of quality.Selected, limit int) ([]quality.Sample, error) {
	parameters := values(of)
	parameters.Set("limit", strconv.Itoa(limit))
	var list struct{ Samples []quality.Sample }
	if err := c.send(ctx, message{path: wire.PathSamples + "?" + parameters.Encode()}, &list); err != nil {
		return nil, fmt.Errorf("cannot read a sample of the predictions: %w", err)
	}
	return list.Samples, nil
}
