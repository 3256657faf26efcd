package remote

import (
	"context"

	"github.com/spf13/cobra"

	"krt.dev/kn-krt/pkg/cli/term"
	"krt.dev/kn-krt/pkg/cluster"
)

func newPublishCommand(s term.Streams) *cobra.Command {
	o := &changeOptions{streams: s}
	return changeCommand(&cobra.Command{
		Use:   "publish NAME",
		Short: "Publish a version",
		Long: `Publish a started version: from then on, the Service active-entrypoint of the namespace
routes to it. One version of a namespace is published at a time. The previous one stays
started, and no request is lost.`,
		Example: `  kn-krt publish price-estimator-v3
  kn-krt publish price-estimator-v3 -m "better in New York"`,
	}, o, "published", runPublish)
}

func runPublish(ctx context.Context, c *Cluster, o changeOptions) error {
	already, err := c.Publish(ctx, o.name, o.comment)
	switch {
	case err != nil:
		return err
	case already:
		return c.already(o, cluster.GoalPublished)
	}
	return c.reach(ctx, o, cluster.GoalPublished, "Publishing")
}
