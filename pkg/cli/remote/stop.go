package remote

import (
	"context"

	"github.com/spf13/cobra"

	"krt.dev/kn-krt/pkg/cli/term"
	"krt.dev/kn-krt/pkg/cluster"
)

func newStopCommand(s term.Streams) *cobra.Command {
	o := &changeOptions{streams: s}
	cmd := changeCommand(&cobra.Command{
		Use:   "stop NAME",
		Short: "Stop a version",
		Long: `Stop a version. It accepts no new requests and finishes those in flight first. A
published version cannot be stopped: unpublish it, or publish another one first.
With durable delivery it also does first what waits in its queue.`,
		Example: `  kn-krt stop price-estimator-v2 -m "replaced by v3"`,
	}, o, "stopped", runStop)
	cmd.Flags().BoolVar(&o.now, "now", false, "leave what waits in the queue (durable delivery) there: it continues at the next start")
	return cmd
}

func runStop(ctx context.Context, c *Cluster, o changeOptions) error {
	already, err := c.Stop(ctx, o.name, o.comment)
	if err == nil && !already && o.now {
		err = c.LeaveQueue(ctx, o.name)
	}
	switch {
	case err != nil:
		return err
	case already:
		return c.already(o, cluster.GoalStopped)
	}
	return c.reach(ctx, o, cluster.GoalStopped, "Stopping")
}
