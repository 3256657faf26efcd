package remote

import (
	"context"

	"github.com/spf13/cobra"

	"krt.dev/kn-krt/pkg/cli/term"
	"krt.dev/kn-krt/pkg/cluster"
)

func newRollbackCommand(s term.Streams) *cobra.Command {
	o := changeOptions{streams: s}
	cmd := &cobra.Command{
		Use:   "rollback",
		Short: "Publish the previous version again",
		Long: `Publish the version that was published before the current one; if none is published, the
last one that was. It must still be started.`,
		Example: `  kn-krt rollback -m "v3 is wrong in Queens"`,
		Args:    term.Arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.wait.prepare(cmd); err != nil {
				return err
			}
			return connected(cmd, func(ctx context.Context, c *Cluster) error { return runRollback(ctx, c, o) })
		},
	}
	NamespaceFlag(cmd)
	commentFlag(cmd, &o.comment, inHistory)
	o.wait.addFlags(cmd, true, "published")
	return cmd
}

func runRollback(ctx context.Context, c *Cluster, o changeOptions) (err error) {
	if o.name, err = c.Rollback(ctx, o.comment); err != nil {
		return err
	}
	return c.reach(ctx, o, cluster.GoalPublished, "Publishing")
}
