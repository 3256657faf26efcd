package remote

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/cli/term"
)

type waitOptions struct {
	streams term.Streams
	name    string
	state   string
	limits  waitFlags
}

// waitStates are the values of wait --for.
func waitStates() []string {
	return []string{"started", "stopped", "published", "unpublished", "deleted"}
}

func newWaitCommand(s term.Streams) *cobra.Command {
	o := waitOptions{streams: s}
	cmd := &cobra.Command{
		Use:   "wait NAME",
		Short: "Wait until a version is what it was asked to be",
		Long: `Wait until a version is started, stopped, published, unpublished or deleted; by default
started or stopped, whichever it was asked to be. Exits 5 when that fails.`,
		Example: `  kn-krt wait price-estimator-v3
  kn-krt wait price-estimator-v3 --for published --wait-timeout 60`,
		Args:              term.Arguments(cobra.ExactArgs(1)),
		ValidArgsFunction: completeVersions(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.limits.prepare(cmd); err != nil {
				return err
			}
			if o.state != "" && !slices.Contains(waitStates(), o.state) {
				return term.UsageError(cmd, "invalid --for %q: want %s", o.state, strings.Join(waitStates(), ", "))
			}
			o.name = args[0]
			c, err := Connect(cmd)
			if err != nil {
				return err
			}
			return runWait(cmd.Context(), c, o)
		},
	}
	NamespaceFlag(cmd)
	cmd.Flags().StringVar(&o.state, "for", "", "what to wait for: "+strings.Join(waitStates(), ", "))
	// The flag was added just above, so this cannot fail.
	_ = cmd.RegisterFlagCompletionFunc("for", cobra.FixedCompletions(waitStates(), cobra.ShellCompDirectiveNoFileComp))
	o.limits.addLimits(cmd, "that")
	return cmd
}

func runWait(ctx context.Context, c *Cluster, o waitOptions) error {
	out := o.streams.Out
	v, err := c.version(ctx, o.name)
	switch {
	case err == nil:
	case o.state == "deleted" && term.CodeOf(err) == term.ExitNotFound:
		_, err := fmt.Fprintf(out, "Version '%s' is not in namespace '%s'.\n", o.name, c.Namespace)
		return err
	default:
		return err
	}
	if o.state == "" {
		o.state = "stopped"
		if v.WantedState() == v1alpha1.StateStarted {
			o.state = "started"
		}
	}
	fmt.Fprintf(out, "Waiting for version '%s' in namespace '%s' to be %s:\n", o.name, c.Namespace, o.state)
	if err := c.awaitState(ctx, o); err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "Version '%s' is %s in namespace '%s'.\n", o.name, o.state, c.Namespace)
	return err
}

func (c *Cluster) awaitState(ctx context.Context, o waitOptions) error {
	change := changeOptions{streams: o.streams, name: o.name, wait: o.limits}
	switch o.state {
	case "published":
		return c.awaitRuntime(ctx, o.streams.Out, change, true)
	case "unpublished":
		return c.awaitRuntime(ctx, o.streams.Out, change, false)
	case "stopped":
		return c.awaitVersion(ctx, o.streams.Out, o.name, o.limits, c.stopped())
	case "deleted":
		return c.awaitVersion(ctx, o.streams.Out, o.name, o.limits, c.deleted())
	default:
		return c.awaitVersion(ctx, o.streams.Out, o.name, o.limits, c.started())
	}
}
