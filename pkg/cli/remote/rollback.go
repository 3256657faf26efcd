package remote

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/cli/term"
)

func newRollbackCommand(s term.Streams) *cobra.Command {
	o := changeOptions{streams: s}
	cmd := &cobra.Command{
		Use:   "rollback",
		Short: "Publish again what was published before",
		Long: `Publish the version that was published before the present one, or, while none is, the
last one that was. It must be started still.`,
		Example: `  kn-krt rollback -m "v3 is wrong in Queens"`,
		Args:    term.Arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.wait.prepare(cmd); err != nil {
				return err
			}
			c, err := Connect(cmd)
			if err != nil {
				return err
			}
			return runRollback(cmd.Context(), c, o)
		},
	}
	NamespaceFlag(cmd)
	commentFlag(cmd, &o.comment)
	o.wait.addFlags(cmd, true, "published")
	return cmd
}

func runRollback(ctx context.Context, c *Cluster, o changeOptions) error {
	r, err := c.runtime(ctx)
	if err != nil {
		return err
	}
	if r == nil {
		return term.WithHint(fmt.Errorf("cannot roll back: nothing was ever published in namespace %q", c.Namespace),
			"Publish a version with '%s'.", c.command("publish NAME"))
	}
	o.name = previous(r)
	if o.name == "" {
		return term.WithHint(fmt.Errorf("cannot roll back: no version was published in namespace %q before %s", c.Namespace, orNothing(r.Spec.PublishedVersion)),
			"Publish another version with '%s'.", c.command("publish NAME"))
	}
	v, err := c.version(ctx, o.name)
	if term.CodeOf(err) == term.ExitNotFound {
		return term.WithHint(fmt.Errorf("cannot roll back to version %q, which was published before: it has been deleted", o.name),
			"Publish another version with '%s'.", c.command("publish NAME"))
	}
	if err != nil {
		return err
	}
	if err := c.requirePublishable(v); err != nil {
		return fmt.Errorf("cannot roll back: %w", err)
	}
	if err := c.point(ctx, r, o.name, o.comment); err != nil {
		return err
	}
	return c.awaitPublished(ctx, o)
}

// previous is the version that was published before the present one; "" if none was.
func previous(r *v1alpha1.Runtime) string {
	for i := len(r.Status.History) - 1; i >= 0; i-- {
		if name := r.Status.History[i].Version; name != "" && name != r.Spec.PublishedVersion {
			return name
		}
	}
	return ""
}
