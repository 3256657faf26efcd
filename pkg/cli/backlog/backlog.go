// Package backlog has the verb queue: what waits in the queue of a version with durable delivery. How a
// version is reached is given to it.
package backlog

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"krt.dev/kn-krt/pkg/cli/term"
	"krt.dev/kn-krt/pkg/inspection"
	"krt.dev/kn-krt/pkg/legible"
	"krt.dev/kn-krt/pkg/queue"
	"krt.dev/kn-krt/pkg/queue/port"
)

// maxName and maxText limit what is printed of a name and of an error's text, in bytes.
const (
	maxName = 100
	maxText = 500
)

// Versions is how versions on a cluster are reached.
type Versions interface {
	// Flags gives cmd the flags that name a place on a cluster.
	Flags(cmd *cobra.Command)
	// Queue calls f with the inspection port of the named version's entrypoint, or of the published
	// version's if version is "". The version has durable delivery.
	Queue(cmd *cobra.Command, version string, f func(context.Context, *inspection.Client) error) error
	// Complete suggests versions for the first argument.
	Complete(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective)
	// CompleteNames suggests names that the version of the first argument has: of its "node"s or
	// "workflow"s.
	CompleteNames(cmd *cobra.Command, args []string, kind string) ([]string, cobra.ShellCompDirective)
}

type options struct {
	streams term.Streams
	output  string
}

const long = `Show what waits in the queue of a version with durable delivery, for each step of its workflows.

WAITING events have not been given to the entrypoint yet. Those IN WORK have: a node works on them, or they
wait to be tried again. REDELIVERED ones of them have been given to the entrypoint before. OLDEST is the
age of the oldest event. DEAD events were given up on: see 'kn-krt dead-letters'.

Without NAME, it is the published version. The entrypoint is reached through a connection like kubectl
port-forward's, so the version must run.`

// NewCommand returns the verb queue. Versions on a cluster are reached through c.
func NewCommand(s term.Streams, c Versions) *cobra.Command {
	o := options{streams: s}
	cmd := &cobra.Command{
		Use:   "queue [NAME]",
		Short: "Show what waits in the queue of a version, or drop it",
		Long:  long,
		Example: `  kn-krt queue
  kn-krt queue price-estimator-v3 -o json
  kn-krt queue drop price-estimator-v3 --workflow estimate --node model --yes`,
		Args:              term.Arguments(cobra.MaximumNArgs(1)),
		ValidArgsFunction: c.Complete,
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.Queue(cmd, first(args), func(ctx context.Context, at *inspection.Client) error {
				return o.show(ctx, port.Client{Port: at})
			})
		},
	}
	c.Flags(cmd)
	term.OutputFlag(cmd, &o.output)
	cmd.AddCommand(newDropCommand(s, c))
	return cmd
}

func first(args []string) string {
	if len(args) == 0 {
		return ""
	}
	return args[0]
}

func (o *options) show(ctx context.Context, from port.Client) error {
	r, err := from.Report(ctx)
	if err != nil {
		return err
	}
	if o.output == term.OutputJSON {
		return term.PrintJSON(o.streams.Out, r)
	}
	rows := slices.DeleteFunc(slices.Clone(r.Steps), func(s queue.StepStatus) bool { return s.Node == queue.Postbox && s.Events() == 0 })
	if err := term.WriteTable(o.streams.Out, columns(time.Now()), rows); err != nil {
		return err
	}
	_, err = fmt.Fprintf(o.streams.Out, "\n%s, %s of %s.\n",
		legible.Count(int(r.Events), "event"), legible.Bytes(r.Bytes), legible.Bytes(r.MaxBytes))
	o.note(r)
	return err
}

// note explains what the table cannot.
func (o *options) note(r *port.Report) {
	w := o.streams.Err
	if r.More {
		fmt.Fprintln(w, "There are more dead letters than were counted.")
	}
	if r.Problem != "" {
		fmt.Fprintf(w, "Warning: %s\n", legible.Line(r.Problem, maxText))
	}
	if slices.ContainsFunc(r.Steps, func(s queue.StepStatus) bool { return s.Former && s.Events() > 0 }) {
		fmt.Fprintln(w, "Nothing fetches the events of former steps: the version does not have them any more.")
	}
	if slices.ContainsFunc(r.Steps, func(s queue.StepStatus) bool { return s.Node == queue.Postbox && s.Events() > 0 }) {
		fmt.Fprintf(w, "%s are results and dead letters that the store has not accepted yet.\n", queue.Postbox)
	}
}

func columns(now time.Time) []term.Column[queue.StepStatus] {
	number := func(head string, of func(queue.StepStatus) int64) term.Column[queue.StepStatus] {
		return term.Column[queue.StepStatus]{Head: head, Cell: func(s queue.StepStatus) string { return fmt.Sprint(of(s)) }}
	}
	return []term.Column[queue.StepStatus]{
		{Head: "WORKFLOW", Cell: func(s queue.StepStatus) string { return line(s.Workflow) }},
		{Head: "NODE", Cell: func(s queue.StepStatus) string {
			if s.Former {
				return fmt.Sprintf("%s (former step %d)", line(s.Node), s.Index+1)
			}
			return line(s.Node)
		}},
		number("WAITING", func(s queue.StepStatus) int64 { return s.Waiting }),
		number("IN WORK", func(s queue.StepStatus) int64 { return s.Work }),
		number("REDELIVERED", func(s queue.StepStatus) int64 { return s.Redelivered }),
		{Head: "OLDEST", Cell: func(s queue.StepStatus) string {
			if s.Oldest.IsZero() {
				return "-"
			}
			return max(now.Sub(s.Oldest), 0).Round(time.Second).String()
		}},
		number("DEAD", func(s queue.StepStatus) int64 { return s.Dead }),
	}
}

func line(text string) string { return legible.Line(text, maxName) }
