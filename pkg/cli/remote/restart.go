package remote

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/cli/term"
)

func newRestartCommand(s term.Streams) *cobra.Command {
	o := &changeOptions{streams: s}
	return changeCommand(&cobra.Command{
		Use:   "restart NAME",
		Short: "Have a version take on changed settings",
		Long: `Have a started version take on what has changed in the cluster since it was started: the
settings, and kn-krt itself. No request is lost. What cannot be changed in place is made
anew beside what serves, which goes once its requests are answered; until then, and
where the new does not become ready, the old serves.`,
		Example: `  kn-krt describe price-estimator-v3     # says what it lags behind
  kn-krt restart price-estimator-v3 -m "channels are Kafka's now"`,
	}, o, "restarted", runRestart)
}

func runRestart(ctx context.Context, c *Cluster, o changeOptions) error {
	v, err := c.version(ctx, o.name)
	switch {
	case err != nil:
		return err
	case v.DeletionTimestamp != nil:
		return fmt.Errorf("cannot restart version %q: it is being deleted", o.name)
	case v.Spec.State != v1alpha1.StateStarted:
		return term.WithHint(fmt.Errorf("cannot restart version %q: it is to be Stopped", o.name),
			"A start takes on what has changed as well: '%s'.", c.command("start %s", o.name))
	}
	spec := map[string]any{"restart": time.Now().UTC().Format(time.RFC3339Nano)}
	if err := c.setSpec(ctx, v, spec, o.comment); err != nil {
		return err
	}
	out := o.streams.Out
	if !o.wait.wait {
		_, err := fmt.Fprintf(out, "Version '%s' is restarting in namespace '%s'.\n", o.name, c.Namespace)
		return err
	}
	fmt.Fprintf(out, "Restarting version '%s' in namespace '%s':\n", o.name, c.Namespace)
	if err := c.awaitVersion(ctx, out, o.name, o.wait, c.restarted()); err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "Version '%s' restarted in namespace '%s'.\n", o.name, c.Namespace)
	return err
}

// restarted is the goal of a restart.
func (c *Cluster) restarted() goal {
	started := c.started()
	return goal{state: "restarted", doing: "restarting", judge: func(v *v1alpha1.Version, exists bool) verdict {
		if d, ok := c.seen(v, exists); !ok {
			return d
		}
		current, with := v.Status.Condition(v1alpha1.ConditionCurrent), v.Status.StartedWith
		if current == nil || with == nil || with.Restart == v.Spec.Restart {
			return started.judge(v, exists)
		}
		if current.Status == metav1.ConditionFalse && current.Reason != v1alpha1.ReasonBehind {
			return verdict{cause: causeOf(*current)}
		}
		return verdict{now: cmp.Or(current.Message, current.Reason)}
	}}
}
