package remote

import (
	"context"

	"github.com/spf13/cobra"

	"krt.dev/kn-krt/pkg/cli/term"
	"krt.dev/kn-krt/pkg/cluster"
)

func newUnpublishCommand(s term.Streams) *cobra.Command {
	o := &changeOptions{streams: s}
	return changeCommand(&cobra.Command{
		Use:   "unpublish NAME",
		Short: "Unpublish a version",
		Long: `Unpublish the published version: from then on, the Service active-entrypoint routes to
nothing. The version stays started.`,
		Example: `  kn-krt unpublish price-estimator-v3 -m "wrong prices in Queens"`,
	}, o, "unpublished", runUnpublish)
}

func runUnpublish(ctx context.Context, c *Cluster, o changeOptions) error {
	if err := c.Unpublish(ctx, o.name, o.comment); err != nil {
		return err
	}
	return c.reach(ctx, o, cluster.GoalUnpublished, "Unpublishing")
}
