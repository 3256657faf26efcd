package remote

import (
	"context"

	"github.com/spf13/cobra"

	"krt.dev/kn-krt/pkg/cli/term"
	"krt.dev/kn-krt/pkg/cluster"
)

func newStopCommand(s term.Streams) *cobra.Command {
	o := &changeOptions{streams: s}
	return changeCommand(&cobra.Command{
		Use:   "stop NAME",
		Short: "Stop a version",
		Long: `Stop a version. It accepts no new requests and finishes those in flight first. A
published version cannot be stopped: unpublish it, or publish another one first.`,
		Example: `  kn-krt stop price-estimator-v2 -m "replaced by v3"`,
	}, o, "stopped", runStop)
}

func runStop(ctx context.Context, c *Cluster, o changeOptions) error {
	already, err := c.Stop(ctx, o.name, o.comment)
	switch {
	case err != nil:
		return err
	case already:
		return c.already(o, cluster.GoalStopped)
	}
	return c.reach(ctx, o, cluster.GoalStopped, "Stopping")
}
