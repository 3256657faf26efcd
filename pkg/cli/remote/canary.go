package remote

import (
	"cmp"
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"krt.dev/kn-krt/pkg/cli/term"
	"krt.dev/kn-krt/pkg/cluster"
	"krt.dev/kn-krt/pkg/legible"
)

// canaryCommand is a command that changes the canary of the namespace, whose name it finds, and waits
// until that is done. The comment is the usage of the flag for the user's.
func canaryCommand(
	cmd *cobra.Command, s term.Streams, until, comment string, run func(context.Context, *Cluster, changeOptions) error,
) *cobra.Command {
	o := changeOptions{streams: s}
	cmd.Args = term.Arguments(cobra.NoArgs)
	cmd.ValidArgsFunction = cobra.NoFileCompletions
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := o.wait.prepare(cmd); err != nil {
			return err
		}
		return connected(cmd, func(ctx context.Context, c *Cluster) error { return run(ctx, c, o) })
	}
	NamespaceFlag(cmd)
	commentFlag(cmd, &o.comment, comment)
	o.wait.addFlags(cmd, true, until)
	return cmd
}

func newPromoteCommand(s term.Streams) *cobra.Command {
	return canaryCommand(&cobra.Command{
		Use:   "promote",
		Short: "Publish the canary",
		Long: `Publish the canary of the namespace instead of the published version, as publish does; it
is no longer a canary then. No request is lost, and the previous version stays started.`,
		Example: `  kn-krt promote -m "better in New York"`,
	}, s, "published", inHistory, func(ctx context.Context, c *Cluster, o changeOptions) (err error) {
		if o.name, err = c.Promote(ctx, o.comment); err != nil {
			return err
		}
		return c.reach(ctx, o, cluster.GoalPublished, "Publishing")
	})
}

func newAbortCommand(s term.Streams) *cobra.Command {
	return canaryCommand(&cobra.Command{
		Use:   "abort",
		Short: "Stop sending requests to the canary",
		Long: `Let the canary of the namespace get no more requests, and no copies: the published version
serves all of them. No request is lost, and the canary stays started.`,
		Example: `  kn-krt abort -m "wrong prices in Queens"`,
	}, s, "no longer a canary", inRuntime, func(ctx context.Context, c *Cluster, o changeOptions) (err error) {
		if o.name, err = c.Abort(ctx, o.comment); err != nil {
			return err
		}
		return c.reach(ctx, o, cluster.GoalAborted, "Aborting")
	})
}

func newPauseCommand(s term.Streams) *cobra.Command {
	return canaryCommand(&cobra.Command{
		Use:     "pause",
		Short:   "Keep the share of the canary, whatever its plan says",
		Long:    `Let the plan of the canary keep the present share until 'resume', 'promote' or 'abort'.`,
		Example: `  kn-krt pause -m "until Monday"`,
	}, s, "paused", inRuntime, func(ctx context.Context, c *Cluster, o changeOptions) (err error) {
		var already bool
		if o.name, already, err = c.Pause(ctx, o.comment); err != nil {
			return err
		}
		return c.reachCanary(ctx, o, already)
	})
}

func newResumeCommand(s term.Streams) *cobra.Command {
	return canaryCommand(&cobra.Command{
		Use:     "resume",
		Short:   "Let the plan of the canary go on",
		Long:    `Let the plan of the canary go on, at its present step, after 'pause' or after it has paused by itself.`,
		Example: `  kn-krt resume`,
	}, s, "resumed", inRuntime, func(ctx context.Context, c *Cluster, o changeOptions) (err error) {
		var already bool
		if o.name, already, err = c.Resume(ctx, o.comment); err != nil {
			return err
		}
		return c.reachCanary(ctx, o, already)
	})
}

// reachCanary waits, if that is wanted and there is something to wait for, until what the canary gets
// is in force, and prints that.
func (c *Cluster) reachCanary(ctx context.Context, o changeOptions, already bool) error {
	out := o.streams.Out
	switch {
	case !o.wait.wait && already:
		return c.already(o, cluster.GoalCanary)
	case !o.wait.wait:
		_, err := fmt.Fprintf(out, "Version '%s' is %s in namespace '%s'.\n", o.name, cluster.GoalCanary.Ongoing(), c.Namespace())
		return err
	case !already:
		fmt.Fprintf(out, "Changing what canary '%s' gets in namespace '%s':\n", o.name, c.Namespace())
		if err := c.await(ctx, out, o.name, cluster.GoalCanary, o.wait); err != nil {
			return err
		}
	}
	r, err := c.Runtime(ctx)
	if err != nil {
		return err
	}
	if r == nil || r.Status.Canary == nil {
		return c.already(o, cluster.GoalCanary)
	}
	s := r.Status.Canary
	_, err = fmt.Fprintf(out, "Version '%s' is a canary in namespace '%s' (%s): %s.\n",
		o.name, c.Namespace(), s.Phase, legible.Printable(cmp.Or(s.Message, fmt.Sprintf("it gets %d %% of the requests", s.Weight))))
	return err
}
