package durable

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"krt.dev/kn-krt/pkg/letter"
	"krt.dev/kn-krt/pkg/queue"
	"krt.dev/kn-krt/pkg/queue/port"
)

const (
	// inspectTime bounds a request of somebody who looks at the queue.
	inspectTime = 20 * time.Second
	// maxPages bounds the pages of dead letters that are counted for one.
	maxPages = 10
)

// Handlers show what waits in the queue, and drop it, on the inspection port: they are its handlers
// by their patterns.
func (c *Carrier) Handlers() map[string]http.HandlerFunc {
	return map[string]http.HandlerFunc{
		"GET " + port.Path:    c.inspecting(func(ctx context.Context, _ *http.Request) (any, error) { return c.report(ctx) }),
		"DELETE " + port.Path: c.inspecting(c.drop),
	}
}

// inspecting serves requests by serve, whose error is the response: the queue does not respond,
// unless it is a [noStepError].
func (c *Carrier) inspecting(serve func(context.Context, *http.Request) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), inspectTime)
		defer cancel()
		value, err := serve(ctx, r)
		var unknown *noStepError
		switch {
		case errors.As(err, &unknown):
			http.Error(w, err.Error(), http.StatusNotFound)
		case err != nil:
			http.Error(w, fmt.Sprintf("the queue at %s: %v", c.client.URL(), err), http.StatusServiceUnavailable)
		default:
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(value)
		}
	}
}

// report is what the queue holds and, as far as the store can be read, what was given up on.
func (c *Carrier) report(ctx context.Context) (*port.Report, error) {
	status, err := c.Status(ctx)
	if err != nil {
		return nil, err
	}
	report := &port.Report{Status: status}
	if err := c.countDead(ctx, report); err != nil {
		report.Problem = "dead letters cannot be counted: " + err.Error()
	}
	return report, nil
}

// countDead adds to a report how many dead letters each step has.
func (c *Carrier) countDead(ctx context.Context, to *port.Report) error {
	store, ok := c.options.Letters.(interface {
		List(ctx context.Context, k letter.Kind, of letter.Selection) (letter.Page, error)
	})
	if !ok {
		return errors.New("the version keeps none")
	}
	of := letter.Selection{Version: c.options.Version, Limit: letter.MaxPage}
	for range maxPages {
		page, err := store.List(ctx, letter.Dead, of)
		if err != nil {
			return err
		}
		for i := range page.Letters {
			l := &page.Letters[i]
			c.statusOf(to, queue.Step{Workflow: l.Workflow, Index: l.Step, Node: l.Node}).Dead++
		}
		if of.Before = page.Next; of.Before == "" || len(page.Letters) == 0 {
			return nil
		}
	}
	to.More = true
	return nil
}

// statusOf is what a report has of a step, which it adds if it has nothing.
func (c *Carrier) statusOf(r *port.Report, s queue.Step) *queue.StepStatus {
	at := slices.IndexFunc(r.Steps, func(one queue.StepStatus) bool {
		return one.Step() == s
	})
	if at < 0 {
		at = len(r.Steps)
		r.Steps = append(r.Steps, queue.StepStatus{Workflow: s.Workflow, Index: s.Index, Node: s.Node, Former: c.find(s) == nil})
	}
	return &r.Steps[at]
}

// noStepError is returned for a selection that selects no step.
type noStepError struct{ workflow, node string }

func (e *noStepError) Error() string {
	switch {
	case e.node == "":
		return fmt.Sprintf("the queue has no workflow %q", e.workflow)
	case e.workflow == "":
		return fmt.Sprintf("the queue has no step of a node %q", e.node)
	}
	return fmt.Sprintf("the queue has no step of a node %q in a workflow %q", e.node, e.workflow)
}

// drop removes what waits for the steps that a request selects.
func (c *Carrier) drop(ctx context.Context, r *http.Request) (any, error) {
	q := r.URL.Query()
	workflow, node := q.Get(port.Workflow), q.Get(port.Node)
	status, err := c.client.Status(ctx, false)
	if err != nil {
		return nil, err
	}
	dropped, known := port.Dropped{}, workflow == "" && node == ""
	for i := range status.Steps {
		s := &status.Steps[i]
		if !port.Selects(s, workflow, node) {
			continue
		}
		known = true
		n, err := c.client.Drop(ctx, s.Step())
		if dropped.Events += n; err != nil {
			return nil, fmt.Errorf("%d events were dropped, and then: %w", dropped.Events, err)
		}
	}
	if !known {
		return nil, &noStepError{workflow, node}
	}
	if dropped.Events > 0 {
		c.log.Warn("dropped events of the queue, as it was asked for", "workflow", workflow, "node", node, "events", dropped.Events)
	}
	return dropped, nil
}
