package remote

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/cli/remote/division"
	"krt.dev/kn-krt/pkg/cli/remote/printing"
	"krt.dev/kn-krt/pkg/cli/term"
	"krt.dev/kn-krt/pkg/cluster"
)

type trafficOptions struct {
	changeOptions

	weight int
	follow bool
	out    printing.Output
}

func newTrafficCommand(s term.Streams) *cobra.Command {
	o := trafficOptions{changeOptions: changeOptions{streams: s}}
	cmd := &cobra.Command{
		Use:   "traffic [NAME=PERCENT]",
		Short: "Show how requests are divided between the published version and its canary, or change it",
		Long: `Show what the published version and its canary get, how each does, and the verdict about
the canary. With NAME=PERCENT, change what percentage of the requests the canary gets; a
canary with a plan gets what the plan says.`,
		Example: `  kn-krt traffic
  kn-krt traffic -f
  kn-krt traffic price-estimator-v3=25 -m "no errors so far"
  kn-krt traffic -o jsonpath='{.status.canary.phase}'`,
		Args:              term.Arguments(cobra.MaximumNArgs(1)),
		ValidArgsFunction: completeCanary,
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := o.prepare(cmd, args); err != nil {
			return err
		}
		return connected(cmd, func(ctx context.Context, c *Cluster) error {
			if o.name != "" {
				return runSetWeight(ctx, c, o)
			}
			return runTraffic(ctx, c, o)
		})
	}
	NamespaceFlag(cmd)
	cmd.Flags().BoolVarP(&o.follow, "follow", "f", false, "show each change until interrupted")
	commentFlag(cmd, &o.comment, inRuntime)
	o.wait.addFlags(cmd, true, "a canary with that percentage")
	o.out.AddFlags(cmd)
	return cmd
}

// prepare checks the flags and reads NAME=PERCENT.
func (o *trafficOptions) prepare(cmd *cobra.Command, args []string) error {
	if err := o.wait.prepare(cmd); err != nil {
		return err
	}
	if err := o.out.Prepare(cmd); err != nil || len(args) == 0 {
		return err
	}
	if o.follow || o.out.Format != "" {
		return term.UsageError(cmd, "NAME=PERCENT changes what the canary gets: --follow and --output cannot be given with it")
	}
	name, text, _ := strings.Cut(args[0], "=")
	weight, err := strconv.Atoi(strings.TrimSuffix(text, "%"))
	if name == "" || err != nil || weight < 0 || weight > division.MaxPercent {
		return term.UsageError(cmd, "write NAME=PERCENT with a whole number from 0 to 100, not %q", args[0])
	}
	o.name, o.weight = name, weight
	return nil
}

func runSetWeight(ctx context.Context, c *Cluster, o trafficOptions) error {
	already, err := c.SetWeight(ctx, o.name, int32(o.weight), o.comment)
	if err != nil {
		return err
	}
	return c.reachCanary(ctx, o.changeOptions, already)
}

func runTraffic(ctx context.Context, c *Cluster, o trafficOptions) error {
	if o.follow {
		return followTraffic(ctx, c, o)
	}
	r, err := c.Runtime(ctx)
	if err != nil {
		return err
	}
	return o.show(c, r)
}

// followTraffic shows the division again whenever it changes.
func followTraffic(ctx context.Context, c *Cluster, o trafficOptions) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	last, shown := "", false
	show := func(r *v1alpha1.Runtime) {
		version := ""
		if r != nil {
			version = r.ResourceVersion
		}
		if shown && version == last {
			return
		}
		o.separate(shown)
		last, shown = version, true
		if err := o.show(c, r); err != nil {
			cancel(err)
		}
	}
	err := c.FollowRuntimes(ctx, cluster.Listener[*v1alpha1.Runtime]{
		Listed: func(all []*v1alpha1.Runtime) { show(first(all)) },
		Changed: func(r *v1alpha1.Runtime, gone bool) {
			if gone {
				r = nil
			}
			show(r)
		},
	})
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	if errors.Is(err, context.Canceled) {
		return nil // an interrupt is how it ends
	}
	return err
}

// first is the Runtime of the namespace; nil if there is none.
func first(all []*v1alpha1.Runtime) *v1alpha1.Runtime {
	if len(all) == 0 {
		return nil
	}
	return all[0]
}

// separate makes room for a table: a live one is in one place of a terminal.
func (o *trafficOptions) separate(again bool) {
	switch {
	case o.out.Machine():
	case o.streams.TTY:
		fmt.Fprint(o.streams.Out, "\x1b[H\x1b[2J")
	case again:
		fmt.Fprintln(o.streams.Out)
	}
}

// show prints the Runtime r; nil if there is none.
func (o *trafficOptions) show(c *Cluster, r *v1alpha1.Runtime) error {
	if r == nil {
		r = &v1alpha1.Runtime{}
		r.Name, r.Namespace = v1alpha1.RuntimeName, c.Namespace()
	}
	r.APIVersion, r.Kind = v1alpha1.GroupVersion.String(), "Runtime"
	switch {
	case o.out.Machine():
		return o.out.Write(o.streams.Out, r)
	case o.out.Format == printing.Name:
		_, err := fmt.Fprintf(o.streams.Out, "runtime.%s/%s\n", v1alpha1.GroupVersion.Group, r.Name)
		return err
	}
	return division.Write(o.streams, r)
}

// completeCanary suggests the canary, as NAME=.
func completeCanary(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	names, directive := ask(cmd, func(ctx context.Context, c *Cluster) ([]string, error) {
		r, err := c.Runtime(ctx)
		if err != nil || r == nil || r.Spec.Canary == nil {
			return nil, err
		}
		return []string{r.Spec.Canary.Version + "=\tcanary"}, nil
	})
	return names, directive | cobra.ShellCompDirectiveNoSpace
}
