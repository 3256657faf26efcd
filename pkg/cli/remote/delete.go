package remote

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/cli/term"
	"krt.dev/kn-krt/pkg/render"
)

type deleteOptions struct {
	streams term.Streams
	names   []string
	force   bool
	purge   bool
	wait    waitFlags
}

func newDeleteCommand(s term.Streams) *cobra.Command {
	o := deleteOptions{streams: s}
	cmd := &cobra.Command{
		Use:   "delete NAME [NAME ...]",
		Short: "Delete stopped versions",
		Long: `Delete versions with all that was made for them. A version must be stopped before,
and not be published. The Secret with its config values is yours, and stays unless
--purge is given.`,
		Example: `  kn-krt delete price-estimator-v1
  kn-krt delete price-estimator-v1 price-estimator-v2 --purge --wait`,
		Args:              term.Arguments(cobra.MinimumNArgs(1)),
		ValidArgsFunction: completeVersions(0),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.wait.prepare(cmd); err != nil {
				return err
			}
			o.names = args
			c, err := Connect(cmd)
			if err != nil {
				return err
			}
			return runDelete(cmd.Context(), c, o)
		},
	}
	NamespaceFlag(cmd)
	cmd.Flags().BoolVar(&o.force, "force", false, "also delete what is started: requests in flight are answered before")
	cmd.Flags().BoolVar(&o.purge, "purge", false, "also delete the Secret with the version's config values")
	// As in kn, a deletion comes back at once unless waiting is asked for.
	o.wait.addFlags(cmd, false, "deleted")
	return cmd
}

// runDelete looks at all of the versions before it deletes the first.
func runDelete(ctx context.Context, c *Cluster, o deleteOptions) error {
	versions := make([]*v1alpha1.Version, len(o.names))
	var errs []error
	for i, name := range o.names {
		v, err := c.deletable(ctx, name, o.force)
		versions[i] = v
		errs = append(errs, err)
	}
	if err := term.Join(errs...); err != nil {
		return err
	}
	for _, v := range versions {
		if err := c.deleteVersion(ctx, v, o); err != nil {
			return err
		}
	}
	return nil
}

// deletable reads a version, and refuses one that must not be deleted (KRT V1,
// lifecycle: from Stopped only).
func (c *Cluster) deletable(ctx context.Context, name string, force bool) (*v1alpha1.Version, error) {
	v, err := c.version(ctx, name)
	if err != nil {
		return nil, err
	}
	if err := c.requireUnpublished(ctx, name, "delete"); err != nil {
		return nil, err
	}
	if v.WantedState() == v1alpha1.StateStarted && !force {
		return nil, term.WithHint(fmt.Errorf("cannot delete version %q: it is started", name),
			"Stop it with '%s', or do both at once with --force.", c.command("stop %s", name))
	}
	return v, nil
}

func (c *Cluster) deleteVersion(ctx context.Context, v *v1alpha1.Version, o deleteOptions) error {
	out := o.streams.Out
	if err := c.Delete(ctx, v); err != nil {
		return c.explainVersion(ctx, v.Name, err)
	}
	if o.wait.wait {
		fmt.Fprintf(out, "Deleting version '%s' in namespace '%s':\n", v.Name, c.Namespace)
		if err := c.awaitVersion(ctx, out, v.Name, o.wait, c.deleted()); err != nil {
			return err
		}
	}
	fmt.Fprintf(out, "Version '%s' successfully deleted in namespace '%s'.\n", v.Name, c.Namespace)
	if len(v.Spec.Config.Variables)+len(v.Spec.Config.Files) == 0 {
		return nil
	}
	secret := render.ConfigName(v.Name)
	if !o.purge {
		fmt.Fprintf(o.streams.Err, "Its config values stay, in Secret '%s'; delete them with '%s'.\n", secret, c.Kubectl("delete secret %s", secret))
		return nil
	}
	err := c.Delete(ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: secret, Namespace: c.Namespace}})
	if err != nil && !IsUnknownName(err) {
		return c.Explain(err, "cannot delete the config values")
	}
	return nil
}
