package remote

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"krt.dev/kn-krt/pkg/cli/term"
	"krt.dev/kn-krt/pkg/cluster"
)

func newRestartCommand(s term.Streams) *cobra.Command {
	o := &changeOptions{streams: s}
	cmd := changeCommand(&cobra.Command{
		Use:   "restart {NAME | --all}",
		Short: "Apply changed settings to started versions",
		Long: `Apply to a started version what has changed in the cluster since it was started: the
settings, and kn-krt itself. No request is lost. What cannot be changed in place is
created next to what serves, which is deleted once its requests have finished. Until
then, and if the new ones never become ready, the old ones keep serving.

With --all, restart all versions of the namespace for which something has changed, one
after the other and the published one last. The first that fails ends it.`,
		Example: `  kn-krt describe price-estimator-v3     # shows what has changed
  kn-krt restart price-estimator-v3 -m "channels are Kafka now"
  kn-krt restart --all                   # after an upgrade of kn-krt`,
	}, o, "restarted", runRestart)
	var all bool
	cmd.Flags().BoolVar(&all, "all", false, "restart the versions for which something has changed, one after the other")
	one := cmd.RunE
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if all {
			return term.Arguments(cobra.NoArgs)(cmd, args)
		}
		return term.Arguments(cobra.ExactArgs(1))(cmd, args)
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if !all {
			return one(cmd, args)
		}
		if err := o.wait.prepare(cmd); err != nil {
			return err
		}
		if !o.wait.wait {
			return term.UsageError(cmd, "--all waits for each version, so --no-wait cannot be given")
		}
		return connected(cmd, func(ctx context.Context, c *Cluster) error { return runRestartAll(ctx, c, *o) })
	}
	return cmd
}

func runRestart(ctx context.Context, c *Cluster, o changeOptions) error {
	if err := c.Restart(ctx, o.name, o.comment); err != nil {
		return err
	}
	return c.reach(ctx, o, cluster.GoalRestarted, "Restarting")
}

// runRestartAll restarts one version after the other, so that one that does not become ready is known
// before the next, and before the published one.
func runRestartAll(ctx context.Context, c *Cluster, o changeOptions) error {
	names, err := c.Behind(ctx)
	if err != nil {
		return err
	}
	if len(names) == 0 {
		_, err := fmt.Fprintf(o.streams.Out, "Nothing has changed for the versions started in namespace '%s'.\n", c.Namespace())
		return err
	}
	for i, name := range names {
		o.name = name
		if err := runRestart(ctx, c, o); err != nil {
			if left := names[i+1:]; len(left) > 0 {
				fmt.Fprintf(o.streams.Err, "Not restarted: %s\n", strings.Join(left, ", "))
			}
			return err
		}
	}
	return nil
}
