package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"krt.dev/kn-krt/pkg/cli/term"
	"krt.dev/kn-krt/pkg/cluster"
	"krt.dev/kn-krt/pkg/legible"
)

// waitFlags are whether and how long a verb waits, as in kn.
type waitFlags struct {
	wait, noWait bool
	timeout      int       // seconds
	begun        time.Time // since when they count, if that is before the wait
	window       int       // seconds
}

// maxWait is the most seconds a verb waits: a week.
const maxWait = 7 * 24 * 60 * 60

// addFlags gives cmd the flags. until completes "wait until the version is".
func (f *waitFlags) addFlags(cmd *cobra.Command, wait bool, until string) {
	flags := cmd.Flags()
	flags.BoolVar(&f.wait, "wait", wait, "wait until the version is "+until)
	flags.BoolVar(&f.noWait, "no-wait", !wait, "do not wait until the version is "+until)
	f.addLimits(cmd)
}

// addLimits gives cmd the flags of a verb that always waits.
func (f *waitFlags) addLimits(cmd *cobra.Command) {
	flags := cmd.Flags()
	f.timeout, f.window = 600, 10
	term.RangeVar(flags, &f.timeout, "wait-timeout", [2]int{0, maxWait}, "seconds to wait before giving up (0: look once)")
	term.RangeVar(flags, &f.window, "wait-window", [2]int{0, maxWait}, "seconds that a problem must last before waiting fails")
}

// prepare checks the flags.
func (f *waitFlags) prepare(cmd *cobra.Command) error {
	wait, noWait := cmd.Flag("wait"), cmd.Flag("no-wait")
	if wait != nil && wait.Changed && noWait.Changed {
		return term.UsageError(cmd, "only one of --wait and --no-wait can be given")
	}
	if noWait != nil && noWait.Changed {
		f.wait = !f.noWait
	}
	return nil
}

// await waits until the version has reached the goal, and prints a line for each step on
// the way, as kn does: between empty lines.
func (c *Cluster) await(ctx context.Context, out io.Writer, name string, goal cluster.Goal, f waitFlags) error {
	fmt.Fprintln(out)
	printed := false
	err := c.Wait(ctx, name, goal, cluster.WaitOptions{
		Timeout: time.Duration(f.timeout) * time.Second,
		Begun:   f.begun,
		Window:  time.Duration(f.window) * time.Second,
		Progress: func(p cluster.Progress) {
			printed = true
			fmt.Fprintf(out, "%7.3fs %s%s\n", p.Elapsed.Seconds(), legible.Printable(p.String()), c.aside(p.Observation))
		},
	})
	if errors.Is(err, context.Canceled) {
		return term.FailAs(term.ExitInterrupted, err,
			"Version %q is still %s. Check with '%s', wait again with '%s'.",
			name, goal.Ongoing(), c.command("describe %s", name), c.command("wait %s --for %s", name, goal))
	}
	if err == nil && printed {
		fmt.Fprintln(out)
	}
	return c.Hint(err)
}

// aside adds to an observation what to do if it lasts.
func (c *Cluster) aside(o cluster.Observation) string {
	if o.Situation == cluster.SituationUnobserved {
		return fmt.Sprintf(" (if it does not, run '%s doctor')", c.program)
	}
	return ""
}
