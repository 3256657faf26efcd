package remote

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/cli/term"
)

// changeOptions are what start, stop, restart, publish and unpublish have in common.
type changeOptions struct {
	streams term.Streams
	name    string
	comment string
	wait    waitFlags
}

// changeCommand is a command that changes the state of the version its argument
// names, and waits until that is so.
func changeCommand(cmd *cobra.Command, o *changeOptions, until string, run func(context.Context, *Cluster, changeOptions) error) *cobra.Command {
	cmd.Args = term.Arguments(cobra.ExactArgs(1))
	cmd.ValidArgsFunction = completeVersions(1)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := o.wait.prepare(cmd); err != nil {
			return err
		}
		o.name = args[0]
		c, err := Connect(cmd)
		if err != nil {
			return err
		}
		return run(cmd.Context(), c, *o)
	}
	NamespaceFlag(cmd)
	commentFlag(cmd, &o.comment)
	o.wait.addFlags(cmd, true, until)
	return cmd
}

func commentFlag(cmd *cobra.Command, comment *string) {
	cmd.Flags().StringVarP(comment, "message", "m", "", "why: kept in the history")
}

// setState asks for a state.
func (c *Cluster) setState(ctx context.Context, v *v1alpha1.Version, state v1alpha1.State, comment string) error {
	return c.setSpec(ctx, v, map[string]any{"state": state}, comment)
}

// setSpec changes fields of the spec; the comment replaces the last one, even by nothing.
func (c *Cluster) setSpec(ctx context.Context, v *v1alpha1.Version, spec map[string]any, comment string) error {
	spec["comment"] = nil // null takes the last one away
	if comment != "" {
		spec["comment"] = comment
	}
	patch, err := json.Marshal(map[string]any{"spec": spec})
	if err != nil {
		return fmt.Errorf("cannot change version %q: %w", v.Name, err)
	}
	err = c.Patch(ctx, v, client.RawPatch(types.MergePatchType, patch), client.FieldOwner(fieldOwner))
	if err != nil {
		return c.explainVersion(ctx, v.Name, err)
	}
	return nil
}

// awaitVersion waits until judge is content with the named version, and says on
// the way what is going on. what is the verb's goal ("started").
func (c *Cluster) awaitVersion(ctx context.Context, out io.Writer, name string, f waitFlags, g goal) error {
	fmt.Fprintln(out)
	w := &waiter[*v1alpha1.Version]{
		c: c, out: out, name: name,
		object: &v1alpha1.Version{}, list: &v1alpha1.VersionList{}, judge: g.judge,
	}
	err := c.explainWait(w.wait(ctx, f), name, g)
	if err == nil && w.told != "" {
		fmt.Fprintln(out)
	}
	return err
}

// goal is what is waited for.
type goal struct {
	// state and doing are what the version should become, and what it does
	// meanwhile: "started", "starting".
	state, doing string
	judge        func(v *v1alpha1.Version, exists bool) verdict
}

// explainWait adds to what a wait ended with what the wait was for.
func (c *Cluster) explainWait(err error, name string, g goal) error {
	var failed *waitError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &failed) && failed.timeout:
		return term.WithCode(term.ExitWait, fmt.Errorf("version %q is not %s yet, and goes on %s: %w", name, g.state, g.doing, failed))
	case errors.As(err, &failed):
		return term.WithCode(term.ExitWait, fmt.Errorf("version %q is not %s: %w", name, g.state, failed))
	case errors.Is(err, context.Canceled):
		return term.FailAs(term.ExitInterrupted, fmt.Errorf("cannot wait for version %q: %w", name, err),
			"Version %q goes on %s. Look with '%s', wait again with '%s'.",
			name, g.doing, c.command("describe %s", name), c.command("wait %s --for %s", name, g.state))
	}
	return err
}

// seen judges what no controller has looked at yet.
func (c *Cluster) seen(v *v1alpha1.Version, exists bool) (verdict, bool) {
	switch {
	case !exists:
		return verdict{cause: "it has been deleted", final: true}, false
	case v.Status.ObservedGeneration < v.Generation:
		return verdict{now: fmt.Sprintf("Waiting for kn-krt's controller to see the version (if it does not: '%s doctor').", c.program), quiet: true}, false
	}
	return verdict{}, true
}

// started is the goal of a start.
func (c *Cluster) started() goal {
	return goal{state: "started", doing: "starting", judge: func(v *v1alpha1.Version, exists bool) verdict {
		if d, ok := c.seen(v, exists); !ok {
			return d
		}
		if v.Spec.State != v1alpha1.StateStarted {
			return verdict{cause: fmt.Sprintf("it is to be Stopped; start it with '%s'", c.command("start %s", v.Name)), final: true}
		}
		if v.IsReady() && (v.Status.Phase == v1alpha1.PhaseStarted || v.Status.Phase == v1alpha1.PhasePublishing || v.Status.Phase == v1alpha1.PhasePublished) {
			return verdict{done: true}
		}
		d := readiness(v)
		d.final = v.Status.Phase == v1alpha1.PhaseStopped && d.cause != ""
		return d
	}}
}

// readiness tells what Ready says: a cause that needs a person, or what is going on.
func readiness(v *v1alpha1.Version) verdict {
	ready := v.Status.Condition(v1alpha1.ConditionReady)
	switch {
	case ready == nil:
		return verdict{}
	case ready.Status == metav1.ConditionFalse && !needsNobody(ready.Reason):
		return verdict{cause: causeOf(*ready), patient: ready.Reason == v1alpha1.ReasonUnschedulable}
	default:
		return verdict{now: cmp.Or(ready.Message, ready.Reason)}
	}
}

// causeOf is a condition as one line: "Reason: message".
func causeOf(c metav1.Condition) string {
	if c.Message == "" {
		return c.Reason
	}
	return c.Reason + ": " + c.Message
}

// stopped is the goal of a stop.
func (c *Cluster) stopped() goal {
	return goal{state: "stopped", doing: "stopping", judge: func(v *v1alpha1.Version, exists bool) verdict {
		if d, ok := c.seen(v, exists); !ok {
			return d
		}
		if refused := v.Status.Condition(v1alpha1.ConditionStopRefused); refused != nil && refused.Status == metav1.ConditionTrue {
			return verdict{cause: causeOf(*refused), final: true}
		}
		if v.Spec.State == v1alpha1.StateStarted {
			return verdict{cause: fmt.Sprintf("it is to be Started; stop it with '%s'", c.command("stop %s", v.Name)), final: true}
		}
		if v.Status.Phase == v1alpha1.PhaseStopped {
			return verdict{done: true}
		}
		return verdict{now: "Waiting for requests in flight to be answered."}
	}}
}

// deleted is the goal of a deletion.
func (c *Cluster) deleted() goal {
	return goal{state: "deleted", doing: "going", judge: func(v *v1alpha1.Version, exists bool) verdict {
		if !exists {
			return verdict{done: true}
		}
		if refused := v.Status.Condition(v1alpha1.ConditionDeleteRefused); refused != nil && refused.Status == metav1.ConditionTrue {
			return verdict{cause: causeOf(*refused), final: true}
		}
		if v.DeletionTimestamp.IsZero() {
			return verdict{cause: fmt.Sprintf("nobody has deleted it; delete it with '%s'", c.command("delete %s", v.Name)), final: true}
		}
		return verdict{now: "Waiting for the version's objects to go."}
	}}
}
