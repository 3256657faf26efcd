package remote

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"krt.dev/kn-krt/pkg/cli/term"
)

func newUnpublishCommand(s term.Streams) *cobra.Command {
	o := &changeOptions{streams: s}
	return changeCommand(&cobra.Command{
		Use:   "unpublish NAME",
		Short: "Take back a publication",
		Long: `Unpublish the published version: the Service active-entrypoint leads nowhere from
then on. The version stays started.`,
		Example: `  kn-krt unpublish price-estimator-v3 -m "wrong prices in Queens"`,
	}, o, "unpublished", runUnpublish)
}

func runUnpublish(ctx context.Context, c *Cluster, o changeOptions) error {
	r, err := c.runtime(ctx)
	if err != nil {
		return err
	}
	if r == nil || r.Spec.PublishedVersion != o.name {
		if _, err := c.version(ctx, o.name); err != nil {
			return err
		}
		published := ""
		if r != nil {
			published = r.Spec.PublishedVersion
		}
		return fmt.Errorf("cannot unpublish version %q: %s is published in namespace %q", o.name, orNothing(published), c.Namespace)
	}
	if err := c.point(ctx, r, "", o.comment); err != nil {
		return err
	}
	out := o.streams.Out
	if o.wait.wait {
		fmt.Fprintf(out, "Unpublishing version '%s' in namespace '%s':\n", o.name, c.Namespace)
		if err := c.awaitRuntime(ctx, out, o, false); err != nil {
			return err
		}
	}
	_, err = fmt.Fprintf(out, "Version '%s' unpublished in namespace '%s'.\n", o.name, c.Namespace)
	return err
}
