package remote

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/cli/term"
	"krt.dev/kn-krt/pkg/cluster"
	"krt.dev/kn-krt/pkg/cluster/backlog"
	"krt.dev/kn-krt/pkg/legible"
	"krt.dev/kn-krt/pkg/render"
)

type deleteOptions struct {
	streams term.Streams
	names   []string
	force   bool
	purge   bool
	yes     bool
	wait    waitFlags
}

func newDeleteCommand(s term.Streams) *cobra.Command {
	o := deleteOptions{streams: s}
	cmd := &cobra.Command{
		Use:   "delete NAME [NAME ...]",
		Short: "Delete stopped versions",
		Long: `Delete versions and everything that was created for them. A version must be stopped and
must not be published. The Secret with its config values is yours: it is kept, unless
--purge is given.

Events that wait in the queue of a version with durable delivery are deleted with it. If there are any, you
are asked to confirm it; without a terminal --yes is required.`,
		Example: `  kn-krt delete price-estimator-v1
  kn-krt delete price-estimator-v1 price-estimator-v2 --purge --wait`,
		Args:              term.Arguments(cobra.MinimumNArgs(1)),
		ValidArgsFunction: completeVersions(0),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.wait.prepare(cmd); err != nil {
				return err
			}
			o.names = args
			return connected(cmd, func(ctx context.Context, c *Cluster) error { return runDelete(ctx, c, o) })
		},
	}
	NamespaceFlag(cmd)
	cmd.Flags().BoolVar(&o.force, "force", false, "also delete started versions; their requests in flight finish first")
	cmd.Flags().BoolVar(&o.purge, "purge", false, "also delete the Secret with the version's config values")
	cmd.Flags().BoolVarP(&o.yes, "yes", "y", false, "delete events that wait in a queue without asking")
	// As in kn, a deletion comes back at once unless waiting is asked for.
	o.wait.addFlags(cmd, false, "deleted")
	return cmd
}

// runDelete checks all of the versions before it deletes the first.
func runDelete(ctx context.Context, c *Cluster, o deleteOptions) error {
	versions := make([]*v1alpha1.Version, len(o.names))
	var errs []error
	for i, name := range o.names {
		v, err := c.Deletable(ctx, name, o.force)
		versions[i] = v
		errs = append(errs, c.Hint(err))
	}
	if err := term.Join(errs...); err != nil {
		return err
	}
	if err := c.confirmLoss(ctx, versions, o); err != nil {
		return err
	}
	for _, v := range versions {
		if err := c.deleteVersion(ctx, v, o); err != nil {
			return err
		}
	}
	return nil
}

// errEvents is returned when the question was not answered with yes.
var errEvents = errors.New("nothing was deleted")

// confirmLoss says what waits in the queues of the versions and, if something does, asks.
func (c *Cluster) confirmLoss(ctx context.Context, versions []*v1alpha1.Version, o deleteOptions) error {
	ask := false
	for _, v := range versions {
		loss, err := backlog.Of(ctx, c.Client, v)
		if err != nil {
			return err
		}
		if text := loss.Text(); text != "" {
			fmt.Fprintf(o.streams.Err, "Version '%s': %s\n", v.Name, legible.Printable(text))
		}
		ask = ask || loss.Likely()
	}
	if !ask || o.yes {
		return nil
	}
	return o.streams.Consent(ctx, "Delete them? They cannot be restored.", errEvents,
		"Add --yes to delete the events too. '%s' has the version do first what waits, if it is started.", c.command("stop NAME"))
}

func (c *Cluster) deleteVersion(ctx context.Context, v *v1alpha1.Version, o deleteOptions) error {
	out := o.streams.Out
	if err := c.Delete(ctx, v.Name); err != nil {
		return err
	}
	if o.wait.wait {
		fmt.Fprintf(out, "Deleting version '%s' in namespace '%s':\n", v.Name, c.Namespace())
		if err := c.await(ctx, out, v.Name, cluster.GoalDeleted, o.wait); err != nil {
			return err
		}
	}
	fmt.Fprintf(out, "Version '%s' successfully deleted in namespace '%s'.\n", v.Name, c.Namespace())
	switch {
	case len(v.Spec.Config.Variables)+len(v.Spec.Config.Files) == 0:
		return nil
	case o.purge:
		return c.DeleteConfig(ctx, v.Name)
	}
	secret := render.ConfigName(v.Name)
	fmt.Fprintf(o.streams.Err, "Its config values are kept in Secret '%s'; delete them with '%s'.\n",
		secret, c.Kubectl("delete secret %s", secret))
	return nil
}
