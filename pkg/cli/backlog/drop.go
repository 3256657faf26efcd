package backlog

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/spf13/cobra"

	"krt.dev/kn-krt/pkg/cli/term"
	"krt.dev/kn-krt/pkg/inspection"
	"krt.dev/kn-krt/pkg/legible"
	"krt.dev/kn-krt/pkg/queue/port"
)

type dropOptions struct {
	streams        term.Streams
	workflow, node string
	yes            bool
}

// errKept is returned when the question was not answered with yes.
var errKept = errors.New("nothing was dropped")

const dropLong = `Remove events from the queue of a version with durable delivery: all, or those that wait for the steps of a
workflow or node. What they would have done is not done, and nobody is told. They leave no dead letters.

You are shown how many events there are, and asked to confirm it; without a terminal --yes is required. An
event that a node works on at that moment goes on, and what follows from it is in the queue again.`

func newDropCommand(s term.Streams, c Versions) *cobra.Command {
	o := dropOptions{streams: s}
	cmd := &cobra.Command{
		Use:   "drop NAME",
		Short: "Remove events from the queue of a version",
		Long:  dropLong,
		Example: `  kn-krt queue drop price-estimator-v3
  kn-krt queue drop price-estimator-v3 --workflow estimate --node model --yes`,
		Args:              term.Arguments(cobra.ExactArgs(1)),
		ValidArgsFunction: c.Complete,
		RunE: func(cmd *cobra.Command, args []string) error {
			if args[0] == "" { // elsewhere that is the published version
				return term.UsageError(cmd, "NAME is empty: name the version whose events are to be dropped")
			}
			return c.Queue(cmd, args[0], func(ctx context.Context, at *inspection.Client) error {
				return o.run(ctx, port.Client{Port: at})
			})
		},
	}
	c.Flags(cmd)
	flags := cmd.Flags()
	flags.StringVar(&o.workflow, "workflow", "", "only events of this workflow")
	flags.StringVar(&o.node, "node", "", "only events that wait for this node")
	flags.BoolVarP(&o.yes, "yes", "y", false, "drop without asking")
	for _, kind := range []string{"workflow", "node"} {
		// The flags were added just above, so this cannot fail.
		_ = cmd.RegisterFlagCompletionFunc(kind, func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			return c.CompleteNames(cmd, args, kind)
		})
	}
	return cmd
}

func (o *dropOptions) run(ctx context.Context, from port.Client) error {
	if !o.yes {
		if err := o.confirm(ctx, from); err != nil {
			return err
		}
	}
	dropped, err := from.Drop(ctx, o.workflow, o.node)
	var refused *inspection.StatusError
	switch {
	case errors.As(err, &refused) && refused.Code == http.StatusNotFound:
		return term.FailAs(term.ExitNotFound, err, "The verb queue without drop lists all steps that there are.")
	case err != nil:
		return err
	}
	_, err = fmt.Fprintf(o.streams.Out, "%s dropped\n", legible.Count(int(dropped.Events), "event"))
	return err
}

// confirm says how many events there are, and asks.
func (o *dropOptions) confirm(ctx context.Context, from port.Client) error {
	r, err := from.Report(ctx)
	if err != nil {
		return err
	}
	var events int64
	for i := range r.Steps {
		if s := &r.Steps[i]; port.Selects(s, o.workflow, o.node) {
			events += s.Events()
		}
	}
	fmt.Fprintf(o.streams.Err, "%s in the queue\n", legible.Count(int(events), "event"))
	return o.streams.Consent(ctx, "Drop them? They cannot be restored.", errKept, "Add --yes to drop them.")
}
