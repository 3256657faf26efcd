package remote

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/cli/remote/division"
	"krt.dev/kn-krt/pkg/cli/term"
	"krt.dev/kn-krt/pkg/cluster"
	"krt.dev/kn-krt/pkg/cluster/plan"
)

const publishLong = `Publish a started version: from then on, the Service active-entrypoint of the namespace
routes to it. One version of a namespace is published at a time. The previous one stays
started, and no request is lost.

With --canary, --mirror, --match or --plan, the version becomes the canary of the published
one instead: it gets that share of the requests, copies of them, the requests with that
metadata, or a share that grows by a plan as long as it is as good as the published one.
Repeat the command with other flags to change what it gets; 'traffic' shows how it does,
'promote' publishes it, and 'abort' ends it. What handlers do for a copy happens twice.

A plan is a YAML file with the fields of spec.canary.plan of a Runtime:

  `

func newPublishCommand(s term.Streams) *cobra.Command {
	o := &changeOptions{streams: s}
	var flags division.Flags
	var canary *v1alpha1.Canary
	cmd := changeCommand(&cobra.Command{
		Use:   "publish NAME",
		Short: "Publish a version, or let it serve a share of the requests",
		Long:  publishLong + strings.ReplaceAll(strings.TrimSpace(plan.Example), "\n", "\n  "),
		Example: `  kn-krt publish price-estimator-v3
  kn-krt publish price-estimator-v3 -m "better in New York"
  kn-krt publish price-estimator-v3 --canary 10 --sticky x-user-id
  kn-krt publish price-estimator-v3 --mirror 100 --ignore computed_at --tolerance 0.1%
  kn-krt publish price-estimator-v3 --plan plan.yaml`,
	}, o, "published, or a canary", func(ctx context.Context, c *Cluster, o changeOptions) error {
		if canary != nil {
			return runPublishCanary(ctx, c, o, *canary)
		}
		return runPublish(ctx, c, o)
	})
	cmd.Flags().Lookup("message").Usage = forPublish
	flags.AddTo(cmd)
	run := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) (err error) {
		if canary, err = flags.Canary(cmd, s, args[0]); err != nil {
			return err
		}
		return run(cmd, args)
	}
	return cmd
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

func runPublishCanary(ctx context.Context, c *Cluster, o changeOptions, canary v1alpha1.Canary) error {
	already, err := c.PublishCanary(ctx, canary, o.comment)
	if err != nil {
		return err
	}
	return c.reachCanary(ctx, o, already)
}
