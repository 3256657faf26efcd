// Package port is the client of a version's queue at the inspection port of its entrypoint: no
// credential of the queue is needed there.
package port

import (
	"context"
	"fmt"
	"net/url"

	"krt.dev/kn-krt/pkg/inspection"
	"krt.dev/kn-krt/pkg/queue"
)

const (
	// Path is where the queue is on the port.
	Path = "/queue"
	// Workflow is the parameter that selects the steps of a workflow.
	Workflow = "workflow"
	// Node is that for those of a node.
	Node = "node"
)

// Report is what a version's queue holds, and how many events of its steps were given up on.
type Report struct {
	queue.Status

	// More says that there are more dead letters than were counted.
	More bool `json:"more,omitempty"`
	// Problem is why dead letters were not counted, or not all of them; empty: they were.
	Problem string `json:"problem,omitempty"`
}

// Selects reports whether a drop of a workflow and a node, "" for all, drops what waits for the step. Letters
// that wait for the store stay, unless their step is named.
func Selects(s *queue.StepStatus, workflow, node string) bool {
	if node == "" && s.Node == queue.Postbox {
		return false
	}
	return (workflow == "" || workflow == s.Workflow) && (node == "" || node == s.Node)
}

// Dropped is what was removed from a queue.
type Dropped struct {
	// Events is how many events were removed, those in work too.
	Events int64 `json:"events"`
}

// Client reads the queue of a version.
type Client struct {
	// Port is the inspection port.
	Port *inspection.Client
}

// Report returns what the queue holds.
func (c Client) Report(ctx context.Context) (*Report, error) {
	r := &Report{}
	if err := c.Port.Read(ctx, nil, r, Path); err != nil {
		return nil, fmt.Errorf("cannot read the queue: %w", err)
	}
	return r, nil
}

// Drop removes what waits for the steps of a workflow and of a node; "" stands for all. The error is an
// [inspection.StatusError] of 404 if there is no such step.
func (c Client) Drop(ctx context.Context, workflow, node string) (d Dropped, err error) {
	q := url.Values{}
	for name, value := range map[string]string{Workflow: workflow, Node: node} {
		if value != "" {
			q.Set(name, value)
		}
	}
	if err = c.Port.Delete(ctx, q, &d, Path); err != nil {
		return d, fmt.Errorf("cannot drop events: %w", err)
	}
	return d, nil
}
