package remote

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"krt.dev/kn-krt/pkg/cli/term"
	"krt.dev/kn-krt/pkg/cluster"
	"krt.dev/kn-krt/pkg/legible"
)

// changeOptions are what start, stop, restart, publish, unpublish and rollback have in
// common.
type changeOptions struct {
	streams term.Streams
	name    string
	comment string
	now     bool // of stop
	wait    waitFlags
}

// changeCommand is a command that changes the state of the version its argument
// names, and waits until it is reached.
func changeCommand(
	cmd *cobra.Command, o *changeOptions, until string, run func(context.Context, *Cluster, changeOptions) error,
) *cobra.Command {
	cmd.Args = term.Arguments(cobra.ExactArgs(1))
	cmd.ValidArgsFunction = completeVersions(1)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := o.wait.prepare(cmd); err != nil {
			return err
		}
		o.name = args[0]
		return connected(cmd, func(ctx context.Context, c *Cluster) error { return run(ctx, c, *o) })
	}
	NamespaceFlag(cmd)
	commentFlag(cmd, &o.comment, inHistory)
	o.wait.addFlags(cmd, true, until)
	return cmd
}

// Where the comment about a change stays: a change of the canary is no entry of the history.
const (
	inHistory  = "comment to keep in the history"
	inRuntime  = "comment to keep in the Runtime until its next change"
	forPublish = inHistory + "; about a canary, in the Runtime until its next change"
)

func commentFlag(cmd *cobra.Command, comment *string, meaning string) {
	cmd.Flags().StringVarP(comment, "message", "m", "", meaning)
}

// reach prints, once the change was made, what the version is doing, and waits, if that
// is wanted, until it has reached the goal. doing begins a sentence: "Starting".
func (c *Cluster) reach(ctx context.Context, o changeOptions, goal cluster.Goal, doing string) error {
	out := o.streams.Out
	if !o.wait.wait {
		_, err := fmt.Fprintf(out, "Version '%s' is %s in namespace '%s'.\n", o.name, goal.Ongoing(), c.Namespace())
		return err
	}
	fmt.Fprintf(out, "%s version '%s' in namespace '%s':\n", doing, o.name, c.Namespace())
	if err := c.await(ctx, out, o.name, goal, o.wait); err != nil {
		return err
	}
	fmt.Fprintf(out, "Version '%s' %s in namespace '%s'", o.name, goal, c.Namespace())
	if goal != cluster.GoalStarted {
		_, err := fmt.Fprintln(out, ".")
		return err
	}
	v, err := c.Get(ctx, o.name)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, " and is available in the cluster at:\n%s\n", legible.Printable(versionURL(v)))
	return err
}

// already prints that the version had reached the goal before.
func (c *Cluster) already(o changeOptions, goal cluster.Goal) error {
	_, err := fmt.Fprintf(o.streams.Out, "Version '%s' is already %s in namespace '%s'.\n", o.name, goal.State(), c.Namespace())
	return err
}
