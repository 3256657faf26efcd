// Package warm has the verb warm: it wakes the nodes of a version, and keeps them up for a while. How a version is
// reached is given to it.
package warm

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/cli/term"
	"krt.dev/kn-krt/pkg/legible"
)

const (
	// leastTime and mostTime are the bounds of --for.
	leastTime = time.Minute
	mostTime  = v1alpha1.MostWarm
	// interval is the time between two looks at a version.
	interval = 500 * time.Millisecond
	// maxText limits what is printed of an error's text, in bytes.
	maxText = 500
)

// Read reads the version.
type Read func(context.Context) (*v1alpha1.Version, error)

// Versions is how versions on a cluster are reached.
type Versions interface {
	// Flags gives cmd the flags that name a place on a cluster.
	Flags(cmd *cobra.Command)
	// Warm asks for the nodes of the named version, or of the published version if version is "", to be kept up until
	// then, and calls watch with what reads it.
	Warm(cmd *cobra.Command, version string, until time.Time, watch func(context.Context, Read) error) error
	// Complete suggests versions for the first argument.
	Complete(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective)
}

type options struct {
	streams term.Streams
	program string
	keep    time.Duration
	noWait  bool
	timeout int // seconds
	after   func(time.Duration) <-chan time.Time
	now     func() time.Time
}

const long = `Wake the nodes of a started version that have scaled to zero, wait until all are up, and keep them up
for a while: before a demonstration, a load test, or the morning's first users. Without NAME, it is the
published version.

Nodes whose scale.min is above 0 are up anyway. Repeat the command to keep them up for longer.`

// NewCommand returns the verb warm. Versions on a cluster are reached through c.
func NewCommand(s term.Streams, c Versions) *cobra.Command {
	return newCommand(&options{streams: s, keep: 10 * time.Minute, timeout: 600, after: time.After, now: time.Now}, c)
}

func newCommand(o *options, c Versions) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "warm [NAME]",
		Short: "Wake the nodes of a version, and keep them up for a while",
		Long:  long,
		Example: `  kn-krt warm price-estimator-v3
  kn-krt warm price-estimator-v3 --for 1h`,
		Args:              term.Arguments(cobra.MaximumNArgs(1)),
		ValidArgsFunction: c.Complete,
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.keep < leastTime || o.keep > mostTime {
				return term.UsageError(cmd, "--for %s is not a duration from 1m to 168h, such as 1h", o.keep)
			}
			o.program = cmd.Root().DisplayName()
			until := o.now().Add(o.keep).Truncate(time.Second)
			return c.Warm(cmd, append(args, "")[0], until, func(ctx context.Context, read Read) error {
				return o.watch(ctx, read, until)
			})
		},
	}
	c.Flags(cmd)
	cmd.Flags().DurationVar(&o.keep, "for", o.keep, "how long to keep the nodes up, from now on")
	cmd.Flags().BoolVar(&o.noWait, "no-wait", false, "do not wait until the nodes are up")
	term.RangeVar(cmd.Flags(), &o.timeout, "wait-timeout", [2]int{1, 24 * 60 * 60}, "seconds to wait before giving up")
	return cmd
}

// watch waits until all nodes are up, and prints each that is.
func (o *options) watch(ctx context.Context, read Read, until time.Time) error {
	v, err := read(ctx)
	if err != nil {
		return err
	}
	name, end := legible.Printable(v.Name), until.Local().Format(time.DateTime)
	if o.noWait {
		_, err := fmt.Fprintf(o.streams.Out, "The nodes of version '%s' are being woken, and stay up until %s.\n", name, end)
		return err
	}
	fmt.Fprintf(o.streams.Out, "Waking the nodes of version '%s' in namespace '%s':\n\n", name, v.Namespace)
	w := wait{options: o, begun: o.now(), until: until}
	for !w.over(v) {
		if o.now().Sub(w.begun) >= time.Duration(o.timeout)*time.Second || !o.now().Before(until) {
			return w.timeout(v)
		}
		select {
		case <-ctx.Done():
			return term.FailAs(term.ExitInterrupted, ctx.Err(), "The nodes are still being woken, and stay up until %s.", end)
		case <-o.after(interval):
		}
		if newer, err := read(ctx); err == nil {
			v = newer
		} else if ctx.Err() == nil {
			return err
		}
	}
	_, err = fmt.Fprintf(o.streams.Out, "\nAll nodes of version '%s' are up, and stay up until %s.\n", name, end)
	return err
}

// wait is what was seen of a version's nodes.
type wait struct {
	*options
	begun, until time.Time
	waiting      []string // as seen last
	seen         bool
	starting     bool // it was printed that the version is starting
}

// over reports whether all nodes are up, and prints which are since the last time.
func (w *wait) over(v *v1alpha1.Version) bool {
	if v.Status.Warm == nil || !v.Status.Warm.Until.Time.Equal(w.until) {
		if v.Status.Phase == v1alpha1.PhaseStarting && !w.starting {
			w.starting = true
			fmt.Fprintf(w.streams.Out, "%7.3fs the version is starting: its nodes are kept up once it has started\n",
				w.now().Sub(w.begun).Seconds())
		}
		return false // the controller has not seen it yet
	}
	if !w.seen {
		w.seen = true
		for _, n := range v.Spec.Nodes {
			w.waiting = append(w.waiting, n.Name)
		}
	}
	for _, name := range w.waiting {
		if !slices.Contains(v.Status.Warm.Waiting, name) {
			fmt.Fprintf(w.streams.Out, "%7.3fs node '%s' is up\n", w.now().Sub(w.begun).Seconds(), legible.Printable(name))
		}
	}
	w.waiting = v.Status.Warm.Waiting
	return len(w.waiting) == 0
}

// waitsFor is what a version that starts waits for.
func waitsFor(v *v1alpha1.Version) string {
	if c := v.Status.Condition(v1alpha1.ConditionReady); c != nil && c.Message != "" {
		return legible.Line(c.Message, maxText)
	}
	return "it is not known why"
}

// timeout is why the wait is over before all nodes are up.
func (w *wait) timeout(v *v1alpha1.Version) error {
	if !w.seen && v.Status.Phase == v1alpha1.PhaseStarting {
		return term.FailAs(term.ExitWait, fmt.Errorf("version %q has not started yet: %s", v.Name, waitsFor(v)),
			"Its nodes are kept up once it has, until %s. See why it takes long: '%s describe %s'.",
			w.until.Local().Format(time.DateTime), w.program, v.Name)
	}
	if !w.seen {
		return term.FailAs(term.ExitWait, fmt.Errorf("the controller has not woken the nodes of version %q", v.Name),
			"Check that it runs: '%s doctor'.", w.program)
	}
	text := fmt.Sprintf("nodes of version %q are not up: %s", v.Name, strings.Join(w.waiting, ", "))
	if m := v.Status.Warm; m != nil && m.Message != "" {
		text += ": " + legible.Line(m.Message, maxText)
	}
	return term.FailAs(term.ExitWait, errors.New(text), "They are still being woken, until %s. See why: '%s describe %s'.",
		w.until.Local().Format(time.DateTime), w.program, v.Name)
}
