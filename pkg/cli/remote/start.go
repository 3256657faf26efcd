package remote

import (
	"context"

	"github.com/spf13/cobra"

	"krt.dev/kn-krt/pkg/cli/term"
	"krt.dev/kn-krt/pkg/cluster"
)

func newStartCommand(s term.Streams) *cobra.Command {
	o := &changeOptions{streams: s}
	return changeCommand(&cobra.Command{
		Use:   "start NAME",
		Short: "Start a version",
		Long: `Start a version: its entrypoint, nodes and workflows. All config variables and files that
it declares must have a value.`,
		Example: `  kn-krt start price-estimator-v3
  kn-krt start price-estimator-v3 -m "trained on October's prices" --no-wait`,
	}, o, "started", runStart)
}

func runStart(ctx context.Context, c *Cluster, o changeOptions) error {
	already, err := c.Start(ctx, o.name, o.comment)
	switch {
	case err != nil:
		return err
	case already:
		return c.already(o, cluster.GoalStarted)
	}
	return c.reach(ctx, o, cluster.GoalStarted, "Starting")
}
