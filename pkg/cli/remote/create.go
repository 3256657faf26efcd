package remote

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/cli/bundle"
	"krt.dev/kn-krt/pkg/cli/hint"
	"krt.dev/kn-krt/pkg/cli/remote/input"
	"krt.dev/kn-krt/pkg/cli/remote/printing"
	"krt.dev/kn-krt/pkg/cli/term"
	"krt.dev/kn-krt/pkg/cluster"
	"krt.dev/kn-krt/pkg/krt"
	"krt.dev/kn-krt/pkg/render"
)

type createOptions struct {
	streams  term.Streams
	program  string
	path     string
	values   input.Values
	images   imageFlags
	delivery string
	auth     input.Authentication
	channel  input.Channel
	results  input.Results
	start    bool
	publish  bool
	dryRun   bool
	target   string
	comment  string
	wait     waitFlags
	out      printing.Output
}

const createLong = `Create a version from a bundle: build and push the image of each node, write the config
values to a Secret, and create the version. It stays stopped unless --start or --publish
is given.

Docker is not needed. Images are pushed to --registry, or to $KO_DOCKER_REPO. Everything
that can be checked is checked before the first image is built, and nothing is left half
done: the version itself is created last.`

func newCreateCommand(s term.Streams) *cobra.Command {
	o := createOptions{streams: s}
	cmd := &cobra.Command{
		Use:   "create BUNDLE",
		Short: "Create a version from a bundle",
		Long:  createLong,
		Example: `  kn-krt create price-estimator --set OUTPUT_PRICE_CURRENCY=EUR --start
  kn-krt create my-version.krt --env-file prod.env --publish -m "first of October"
  kn-krt create my-version --dry-run -o yaml
  kn-krt create my-version --target ./gitops`,
		Args: term.Arguments(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.program, o.path = cmd.Root().DisplayName(), args[0]
			if err := o.prepare(cmd); err != nil {
				return err
			}
			return runCreate(cmd, o)
		},
	}
	NamespaceFlag(cmd)
	o.values.AddTo(cmd)
	o.images.addFlags(cmd)
	flags := cmd.Flags()
	deliveryFlag(cmd, &o.delivery)
	o.auth.AddTo(cmd)
	o.channel.AddTo(cmd)
	o.results.AddTo(cmd)
	flags.BoolVar(&o.start, "start", false, "also start the version")
	flags.BoolVar(&o.publish, "publish", false, "also start and publish the version")
	flags.BoolVar(&o.dryRun, "dry-run", false, "create nothing: check everything with the cluster, and print the version")
	flags.StringVar(&o.target, "target", "", "write the version to this folder or .yaml file instead of a cluster (GitOps)")
	commentFlag(cmd, &o.comment, inHistory)
	o.wait.addFlags(cmd, true, "started or published")
	o.out.AddFlags(cmd)
	return cmd
}

// deliveryFlag adds the flag --delivery to cmd.
func deliveryFlag(cmd *cobra.Command, delivery *string) {
	term.Choice{
		Name: "delivery", Usage: "how events get from node to node (default: Sequence)",
		Of: []string{string(v1alpha1.DeliverySequence), string(v1alpha1.DeliveryDirect), string(v1alpha1.DeliveryDurable)},
	}.AddTo(cmd, delivery)
}

func (o *createOptions) prepare(cmd *cobra.Command) error {
	if err := errors.Join(o.out.Prepare(cmd), o.wait.prepare(cmd)); err != nil {
		return err
	}
	if o.out.Format != "" && !o.dryRun {
		return term.UsageError(cmd, "--output needs --dry-run")
	}
	if o.target != "" && (o.values.Given() || o.start || o.publish || o.dryRun) {
		return term.UsageError(cmd, "--target only writes a file; it cannot be combined with "+
			"--set, --set-from-file, --set-from-env, --env-file, --start, --publish or --dry-run")
	}
	o.start = o.start || o.publish
	return errors.Join(o.auth.Read(), o.channel.Read())
}

func runCreate(cmd *cobra.Command, o createOptions) error {
	if o.target != "" {
		return o.opened(cmd, func(b *krt.Bundle) error { return o.writeTarget(cmd, b) })
	}
	return o.opened(cmd, func(b *krt.Bundle) error {
		return connected(cmd, func(_ context.Context, c *Cluster) error { return o.createOn(cmd, c, b) })
	})
}

// opened calls f with the bundle, if that is valid and its images can be made.
func (o *createOptions) opened(cmd *cobra.Command, f func(*krt.Bundle) error) error {
	b, err := bundle.OpenToShip(cmd.Context(), o.streams, o.path)
	if err != nil {
		return err
	}
	defer b.Close()
	bundle.WarnLeftOut(o.streams.Err, b.Listed)
	if err := o.images.check(cmd, b.Bundle); err != nil {
		return err
	}
	return f(b.Bundle)
}

// createOn checks everything that can be checked, builds the images, and creates the
// version.
func (o *createOptions) createOn(cmd *cobra.Command, c *Cluster, b *krt.Bundle) error {
	ctx := cmd.Context()
	v := render.FromBundle(b, o.images.placeholders(b), o.from(c.Namespace()))
	values, err := o.values.Read(cmd, v.Spec)
	if err != nil {
		return err
	}
	if err := o.check(ctx, c, v, values); err != nil {
		return err
	}
	if o.dryRun {
		return o.printDryRun(c, v)
	}
	made, err := o.build(cmd, c, b, o.from(c.Namespace()))
	if err != nil {
		return err
	}
	return o.create(ctx, c, made, values)
}

func (o *createOptions) from(namespace string) render.FromOptions {
	return render.FromOptions{Namespace: namespace, Delivery: v1alpha1.Delivery(o.delivery), Authentication: o.auth.Given,
		ChannelTemplate: o.channel.Given, Results: o.results.Given}
}

// check asks the cluster, before any image is made, whether it would accept the version,
// and finds out what of its config has no value.
func (o *createOptions) check(ctx context.Context, c *Cluster, v *v1alpha1.Version, values map[string][]byte) error {
	missing, err := c.CheckCreate(ctx, v, values)
	switch {
	case err != nil || missing == nil:
		return err
	case o.start:
		return term.WithHint(fmt.Errorf("cannot start version %q: %w", v.Name, missing),
			"Give it with %s, or create the version without --start.", hint.SetFlags(missing))
	}
	fmt.Fprintf(o.streams.Err, "The version cannot start until its config is complete: %s\n",
		c.command("config %s %s", v.Name, hint.SetFlags(missing)))
	return nil
}

// create creates the version with its values, and starts and publishes it if that is
// wanted.
func (o *createOptions) create(ctx context.Context, c *Cluster, v *v1alpha1.Version, values map[string][]byte) error {
	v.Spec.Comment = o.comment
	if o.start {
		v.Spec.State = v1alpha1.StateStarted
	}
	if err := c.Create(ctx, v, values); err != nil {
		return err
	}
	fmt.Fprintf(o.streams.Out, "Version '%s' created in namespace '%s'.\n", v.Name, c.Namespace())
	if !o.start {
		return nil
	}
	change := changeOptions{streams: o.streams, name: v.Name, comment: o.comment, wait: o.wait}
	if o.publish {
		// Only what is ready is published: without it, publish would be refused.
		change.wait.wait = true
	}
	if err := c.reach(ctx, change, cluster.GoalStarted, "Starting"); err != nil || !o.publish {
		return err
	}
	change.wait = o.wait
	return runPublish(ctx, c, change)
}

func (o *createOptions) printDryRun(c *Cluster, v *v1alpha1.Version) error {
	if o.start {
		v.Spec.State = v1alpha1.StateStarted
	}
	v.Spec.Comment = o.comment
	fmt.Fprintf(o.streams.Err, "Version '%s' can be created in namespace '%s' (dry run: no image was built).\n", v.Name, c.Namespace())
	if o.out.Format == printing.Name {
		_, err := fmt.Fprintln(o.streams.Out, resourceName(v))
		return err
	}
	if !o.out.Machine() {
		return nil
	}
	v.SetKind()
	return o.out.Write(o.streams.Out, v)
}
