package remote

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/cli/term"
)

func newStopCommand(s term.Streams) *cobra.Command {
	o := &changeOptions{streams: s}
	return changeCommand(&cobra.Command{
		Use:   "stop NAME",
		Short: "Stop a version",
		Long: `Stop a version. Requests in flight are answered before; new ones are not taken. A
published version cannot be stopped: unpublish it, or publish another one first.`,
		Example: `  kn-krt stop price-estimator-v2 -m "replaced by v3"`,
	}, o, "stopped", runStop)
}

func runStop(ctx context.Context, c *Cluster, o changeOptions) error {
	v, err := c.version(ctx, o.name)
	if err != nil {
		return err
	}
	if err := c.requireUnpublished(ctx, o.name, "stop"); err != nil {
		return err
	}
	out := o.streams.Out
	if v.Spec.State != v1alpha1.StateStarted && v.Status.Phase != v1alpha1.PhaseStopping {
		_, err := fmt.Fprintf(out, "Version '%s' is stopped already in namespace '%s'.\n", o.name, c.Namespace)
		return err
	}
	if v.Spec.State == v1alpha1.StateStarted {
		if err := c.setState(ctx, v, v1alpha1.StateStopped, o.comment); err != nil {
			return err
		}
	}
	if !o.wait.wait {
		_, err := fmt.Fprintf(out, "Version '%s' is stopping in namespace '%s'.\n", o.name, c.Namespace)
		return err
	}
	fmt.Fprintf(out, "Stopping version '%s' in namespace '%s':\n", o.name, c.Namespace)
	if err := c.awaitVersion(ctx, out, o.name, o.wait, c.stopped()); err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "Version '%s' stopped in namespace '%s'.\n", o.name, c.Namespace)
	return err
}

// requireUnpublished refuses to do what cannot be done to a published version.
func (c *Cluster) requireUnpublished(ctx context.Context, name, verb string) error {
	r, err := c.runtime(ctx)
	if err != nil {
		return err
	}
	if r == nil || r.Spec.PublishedVersion != name && r.Status.PublishedVersion != name {
		return nil
	}
	if r.Spec.PublishedVersion != name {
		return term.WithHint(fmt.Errorf("cannot %s version %q: it is published until %s is", verb, name, orNothing(r.Spec.PublishedVersion)),
			"Look with '%s'.", c.command("list"))
	}
	return term.WithHint(fmt.Errorf("cannot %s version %q: it is published in namespace %q", verb, name, c.Namespace),
		"Unpublish it with '%s', or publish another version.", c.command("unpublish %s", name))
}

// orNothing names a version, or says that there is none.
func orNothing(version string) string {
	if version == "" {
		return "nothing"
	}
	return fmt.Sprintf("%q", version)
}
