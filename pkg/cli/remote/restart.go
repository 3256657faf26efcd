package remote

import (
	"context"

	"github.com/spf13/cobra"

	"krt.dev/kn-krt/pkg/cli/term"
	"krt.dev/kn-krt/pkg/cluster"
)

func newRestartCommand(s term.Streams) *cobra.Command {
	o := &changeOptions{streams: s}
	return changeCommand(&cobra.Command{
		Use:   "restart NAME",
		Short: "Apply changed settings to a started version",
		Long: `Apply to a started version what has changed in the cluster since it was started: the
settings, and kn-krt itself. No request is lost. What cannot be changed in place is
created next to what serves, which is deleted once its requests have finished. Until
then, and if the new ones never become ready, the old ones keep serving.`,
		Example: `  kn-krt describe price-estimator-v3     # shows what has changed
  kn-krt restart price-estimator-v3 -m "channels are Kafka now"`,
	}, o, "restarted", runRestart)
}

func runRestart(ctx context.Context, c *Cluster, o changeOptions) error {
	if err := c.Restart(ctx, o.name, o.comment); err != nil {
		return err
	}
	return c.reach(ctx, o, cluster.GoalRestarted, "Restarting")
}
