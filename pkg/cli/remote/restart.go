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
		Short: "Have a version take on changed settings",
		Long: `Have a started version take on what has changed in the cluster since it was started: the
settings, and kn-krt itself. No request is lost. What cannot be changed in place is made
anew beside what serves, which goes once its requests are answered; until then, and
where the new does not become ready, the old serves.`,
		Example: `  kn-krt describe price-estimator-v3     # says what it lags behind
  kn-krt restart price-estimator-v3 -m "channels are Kafka's now"`,
	}, o, "restarted", runRestart)
}

func runRestart(ctx context.Context, c *Cluster, o changeOptions) error {
	if err := c.Client.Restart(ctx, o.name, o.comment); err != nil {
		return err
	}
	return c.reach(ctx, o, cluster.GoalRestarted, "Restarting")
}
