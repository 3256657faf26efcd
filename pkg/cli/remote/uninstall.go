package remote

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"krt.dev/kn-krt/pkg/cli/term"
	"krt.dev/kn-krt/pkg/cluster"
	"krt.dev/kn-krt/pkg/legible"
)

type uninstallOptions struct {
	streams term.Streams
	yes     bool
	wait    waitFlags
}

func newUninstallCommand(s term.Streams) *cobra.Command {
	o := uninstallOptions{streams: s}
	cmd := &cobra.Command{
		Use:   "uninstall",
		Short: "Uninstall from a cluster, with all versions",
		Long: `Remove kn-krt from a cluster, in the order in which nothing is left behind: versions are
unpublished, then deleted while the controller still drains their requests; then the
controller, the store, the queue and the dashboard are deleted, their rights, and the kinds. If
the controller does not run, versions are deleted without being drained.

Namespace krt-system is kept, with the volumes of the store and the queue and all Secrets; so
are the Secrets with config values of versions. If Helm has installed kn-krt, only versions
and runtimes are deleted, and the rest is left to 'helm uninstall'.`,
		Example: `  kn-krt uninstall         # shows what will be deleted, and asks
  kn-krt uninstall --yes`,
		Args: term.Arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return connected(cmd, func(ctx context.Context, c *Cluster) error { return runUninstall(ctx, c, o) })
		},
	}
	cmd.Flags().BoolVarP(&o.yes, "yes", "y", false, "do not ask")
	o.wait.addLimits(cmd)
	return cmd
}

func runUninstall(ctx context.Context, c *Cluster, o uninstallOptions) error {
	found, err := c.Installation(ctx)
	if err != nil {
		return err
	}
	o.describe(c, found)
	if err := o.confirm(ctx); err != nil {
		return err
	}
	for _, v := range found.Published {
		if err := c.at(v.Namespace).unpublishForGood(ctx, v.Name, found.Controlled, o); err != nil {
			return err
		}
	}
	if err := c.deleteAll(ctx, found, o); err != nil {
		return err
	}
	out := o.streams.Out
	if found.Release != "" { // which may delete the kinds, too
		if err := c.Collected(ctx); err != nil {
			return err
		}
		_, err := fmt.Fprintf(out, "All versions are deleted. Now remove kn-krt with 'helm uninstall %s --namespace %s'.\n",
			legible.Printable(found.Release), cluster.SystemNamespace)
		return err
	}
	if err := c.Uninstall(ctx, func(kind, name string) { fmt.Fprintf(out, "deleted %s %s\n", kind, legible.Printable(name)) }); err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "kn-krt is removed. To delete the data of the store and its key too: kubectl delete namespace %s\n",
		cluster.SystemNamespace)
	return err
}

// describe prints what will be deleted, and what is kept.
func (o *uninstallOptions) describe(c *Cluster, found cluster.Installation) {
	w := o.streams.Err
	fmt.Fprintf(w, "On the cluster at %s this deletes:\n", c.Host())
	for _, v := range found.Versions {
		published := ""
		if slices.Contains(found.Published, v) {
			published = " (published)"
		}
		fmt.Fprintf(w, "  version %s%s\n", legible.Printable(v.String()), published)
	}
	if found.Release != "" {
		fmt.Fprintln(w, "Helm has installed kn-krt, and removes the rest.")
	} else {
		fmt.Fprintln(w, "  kn-krt with its settings, its rights and the kinds Version and Runtime")
	}
	if !found.Controlled && len(found.Versions) > 0 {
		fmt.Fprintln(w, "The controller does not run: versions are deleted with the requests in them.")
	}
	fmt.Fprintf(w, "It keeps the namespace %s with the volumes of the store and the queue, and all Secrets.\n", cluster.SystemNamespace)
}

// reasonOfUninstall is why a version is unpublished, in its history.
const reasonOfUninstall = "kn-krt is uninstalled"

var errKept = errors.New("nothing was deleted")

// confirm asks the user, unless the answer was given with the command.
func (o *uninstallOptions) confirm(ctx context.Context) error {
	if o.yes {
		return nil
	}
	return o.streams.Consent(ctx, "Delete it?", errKept, "Add --yes to delete it.")
}

// unpublishForGood unpublishes a version, whether it exists or not and unless that has begun, and waits
// for it if there is a controller: it refuses to delete what is published.
func (c *Cluster) unpublishForGood(ctx context.Context, name string, controlled bool, o uninstallOptions) error {
	r, err := c.Runtime(ctx)
	if err != nil {
		return err
	}
	if r != nil && r.Spec.PublishedVersion == name {
		if r.Spec.Canary != nil { // beside which nothing is unpublished
			if _, err := c.Abort(ctx, reasonOfUninstall); err != nil {
				return err
			}
		}
		if err := c.Unpublish(ctx, name, reasonOfUninstall); err != nil {
			return err
		}
	}
	fmt.Fprintf(o.streams.Out, "Unpublishing version '%s' in namespace '%s':\n", name, c.Namespace())
	if !controlled {
		return nil
	}
	return c.await(ctx, o.streams.Out, name, cluster.GoalUnpublished, o.wait)
}

// deleteAll deletes all versions: first all are asked to end, then each is waited for.
func (c *Cluster) deleteAll(ctx context.Context, found cluster.Installation, o uninstallOptions) error {
	var unknown *cluster.NotFoundError
	for _, v := range found.Versions {
		if err := c.at(v.Namespace).Delete(ctx, v.Name); err != nil && !errors.As(err, &unknown) {
			return err
		}
		if found.Controlled {
			continue
		}
		if err := c.at(v.Namespace).Release(ctx, v.Name); err != nil {
			return err
		}
	}
	for _, v := range found.Versions {
		fmt.Fprintf(o.streams.Out, "Deleting version '%s' in namespace '%s':\n", v.Name, v.Namespace)
		if err := c.at(v.Namespace).await(ctx, o.streams.Out, v.Name, cluster.GoalDeleted, o.wait); err != nil {
			return err
		}
	}
	return nil
}
