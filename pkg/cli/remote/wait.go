package remote

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/cli/term"
	"krt.dev/kn-krt/pkg/cluster"
)

type waitOptions struct {
	streams term.Streams
	name    string
	state   string
	limits  waitFlags
}

// waitStates are the values of wait --for.
func waitStates() []string {
	var states []string
	for _, goal := range []cluster.Goal{
		cluster.GoalStarted, cluster.GoalStopped, cluster.GoalRestarted,
		cluster.GoalPublished, cluster.GoalUnpublished, cluster.GoalDeleted,
	} {
		states = append(states, string(goal))
	}
	return states
}

func newWaitCommand(s term.Streams) *cobra.Command {
	o := waitOptions{streams: s}
	cmd := &cobra.Command{
		Use:   "wait NAME",
		Short: "Wait until a version has reached a state",
		Long: `Wait until a version is started, stopped, restarted, published, unpublished or deleted;
by default started or stopped, whichever it was asked to be. Exits with 5 if that fails.`,
		Example: `  kn-krt wait price-estimator-v3
  kn-krt wait price-estimator-v3 --for published --wait-timeout 60`,
		Args:              term.Arguments(cobra.ExactArgs(1)),
		ValidArgsFunction: completeVersions(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.limits.prepare(cmd); err != nil {
				return err
			}
			o.name = args[0]
			return connected(cmd, func(ctx context.Context, c *Cluster) error { return runWait(ctx, c, o) })
		},
	}
	NamespaceFlag(cmd)
	term.Choice{Name: "for", Usage: "what to wait for", Of: waitStates()}.AddTo(cmd, &o.state)
	o.limits.addLimits(cmd)
	return cmd
}

func runWait(ctx context.Context, c *Cluster, o waitOptions) error {
	out := o.streams.Out
	o.limits.begun = time.Now()
	limited, cancel := context.WithTimeout(ctx, cluster.Limit(time.Duration(o.limits.timeout)*time.Second))
	defer cancel()
	v, err := c.Get(limited, o.name)
	var unknown *cluster.NotFoundError
	switch {
	case err == nil:
	case o.state == string(cluster.GoalDeleted) && errors.As(err, &unknown):
		_, err := fmt.Fprintf(out, "Version '%s' does not exist in namespace '%s'.\n", o.name, c.Namespace())
		return err
	default:
		return err
	}
	goal := cluster.Goal(o.state)
	if goal == "" {
		goal = cluster.GoalStopped
		if v.WantedState() == v1alpha1.StateStarted {
			goal = cluster.GoalStarted
		}
	}
	fmt.Fprintf(out, "Waiting for version '%s' in namespace '%s' to be %s:\n", o.name, c.Namespace(), goal)
	if err := c.await(ctx, out, o.name, goal, o.limits); err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "Version '%s' is %s in namespace '%s'.\n", o.name, goal, c.Namespace())
	return err
}
