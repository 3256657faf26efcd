package remote

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/cli/term"
)

func newStartCommand(s term.Streams) *cobra.Command {
	o := &changeOptions{streams: s}
	return changeCommand(&cobra.Command{
		Use:   "start NAME",
		Short: "Start a version",
		Long: `Start a version: its entrypoint, nodes and workflows. Every config variable and file
it declares needs a value before.`,
		Example: `  kn-krt start price-estimator-v3
  kn-krt start price-estimator-v3 -m "trained on October's prices" --no-wait`,
	}, o, "started", runStart)
}

func runStart(ctx context.Context, c *Cluster, o changeOptions) error {
	v, err := c.version(ctx, o.name)
	if err != nil {
		return err
	}
	if v.DeletionTimestamp != nil {
		return fmt.Errorf("cannot start version %q: it is being deleted", o.name)
	}
	if v.Spec.State == v1alpha1.StateStarted && v.IsReady() {
		_, err := fmt.Fprintf(o.streams.Out, "Version '%s' is started already in namespace '%s'.\n", o.name, c.Namespace)
		return err
	}
	values, err := c.configValues(ctx, v)
	if err != nil {
		return err
	}
	if err := c.requireConfig(v, values); err != nil {
		return err
	}
	if v.Spec.State != v1alpha1.StateStarted {
		if err := c.setState(ctx, v, v1alpha1.StateStarted, o.comment); err != nil {
			return err
		}
	}
	return c.awaitStart(ctx, o)
}

// awaitStart waits, if that is wanted, and says where the version answers.
func (c *Cluster) awaitStart(ctx context.Context, o changeOptions) error {
	out := o.streams.Out
	if !o.wait.wait {
		_, err := fmt.Fprintf(out, "Version '%s' is starting in namespace '%s'.\n", o.name, c.Namespace)
		return err
	}
	fmt.Fprintf(out, "Starting version '%s' in namespace '%s':\n", o.name, c.Namespace)
	if err := c.awaitVersion(ctx, out, o.name, o.wait, c.started()); err != nil {
		return err
	}
	v, err := c.version(ctx, o.name)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "Version '%s' started in namespace '%s' and answers in the cluster at:\n%s\n", o.name, c.Namespace, versionURL(v))
	return nil
}
