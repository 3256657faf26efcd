package remote

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/cli/term"
	"krt.dev/kn-krt/pkg/cluster/logs"
	"krt.dev/kn-krt/pkg/legible"
)

type logsOptions struct {
	streams  term.Streams
	name     string
	follow   bool
	nodes    []string
	workflow string
	since    time.Duration
	tail     int64
	output   string
}

func newLogsCommand(s term.Streams) *cobra.Command {
	o := logsOptions{streams: s}
	cmd := &cobra.Command{
		Use:   "logs NAME",
		Short: "Show the logs of a version's nodes and entrypoint",
		Long: `Show what the nodes and the entrypoint of a version have logged, in order of time. Only
existing pods have logs: a node that is scaled to zero has none.

With -f, new lines are shown as they are logged, including those of pods that start
later.`,
		Example: `  kn-krt logs price-estimator-v3 -f
  kn-krt logs price-estimator-v3 --node model --since 10m
  kn-krt logs price-estimator-v3 --workflow ny-room-price -o json`,
		Args:              term.Arguments(cobra.ExactArgs(1)),
		ValidArgsFunction: completeVersions(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.since < 0 || o.tail < -1 {
				return term.UsageError(cmd, "--since and --tail must not be negative")
			}
			o.name = args[0]
			return connected(cmd, func(ctx context.Context, c *Cluster) error { return runLogs(ctx, c, o) })
		},
	}
	NamespaceFlag(cmd)
	flags := cmd.Flags()
	flags.BoolVarP(&o.follow, "follow", "f", false, "show new lines until interrupted")
	flags.StringSliceVar(&o.nodes, "node", nil, "show only this node, or \"entrypoint\" (may be repeated)")
	flags.StringVar(&o.workflow, "workflow", "", "show only lines about this workflow")
	flags.DurationVar(&o.since, "since", 0, "show only lines newer than a duration, such as 10m")
	flags.Int64Var(&o.tail, "tail", -1, "show only this many of the last lines of each running pod (default: all)")
	flags.Lookup("tail").DefValue = "0" // pflag prints no default then
	term.OutputFlag(cmd, &o.output)
	// The flags were added just above, so these cannot fail.
	_ = cmd.RegisterFlagCompletionFunc("node", completeNames(func(v *v1alpha1.Version) []string {
		return append(versionNodes(v), logs.Entrypoint)
	}))
	_ = cmd.RegisterFlagCompletionFunc("workflow", completeNames(versionWorkflows))
	return cmd
}

func runLogs(ctx context.Context, c *Cluster, o logsOptions) error {
	v, err := c.Get(ctx, o.name)
	if err != nil {
		return err
	}
	query := o.query()
	if err := logs.CheckNames(v, o.nodes, o.workflow); err != nil {
		return err
	}
	p := newLogPrinter(o)
	if o.follow {
		err := c.FollowLogs(ctx, o.name, query, logs.Handler{Line: p.show, Failed: o.warn})
		if errors.Is(err, context.Canceled) {
			err = nil // an interrupt is how it ends
		}
		return err
	}
	var failed []*logs.Error
	found, err := c.Logs(ctx, o.name, query, logs.Handler{
		Line:   p.show,
		Failed: func(e *logs.Error) { failed = append(failed, e) },
	})
	switch {
	case err != nil:
		return err
	case len(failed) > 0:
		for _, e := range failed[1:] {
			o.warn(e)
		}
		return failed[0]
	case found.Ready == 0:
		o.explainNothing(c, v, found.Waiting > 0)
	}
	return nil
}

func (o *logsOptions) query() logs.Query {
	q := logs.Query{Nodes: o.nodes, Workflow: o.workflow, Since: o.since}
	if o.tail >= 0 {
		q.Tail = &o.tail
	}
	return q
}

// warn prints what is wrong with one pod's log. Those of other pods are not affected.
func (o *logsOptions) warn(e *logs.Error) {
	next := ""
	switch {
	case e.Retrying:
		next = "; trying again"
	case o.follow:
		next = "; waiting for the pod to change"
	}
	fmt.Fprintf(o.streams.Err, "Warning: %s%s\n", legible.Printable(e.Error()), next)
}

// explainNothing prints why there are no logs. That is not an error.
func (o *logsOptions) explainNothing(c *Cluster, v *v1alpha1.Version, waiting bool) {
	why := "all pods are scaled to zero"
	switch {
	case waiting:
		why = fmt.Sprintf("no pod has started yet ('%s' shows why)", c.command("describe %s", v.Name))
	case v.WantedState() != v1alpha1.StateStarted:
		why = "it is stopped"
	case len(o.nodes) > 0:
		why = "the selected nodes have no pods"
	}
	fmt.Fprintf(o.streams.Err, "Version '%s' has no logs: %s. '%s' shows lines as they are logged.\n",
		v.Name, why, c.command("logs %s -f", v.Name))
}
