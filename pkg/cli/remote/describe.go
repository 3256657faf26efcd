package remote

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/cli/remote/division"
	"krt.dev/kn-krt/pkg/cli/remote/printing"
	"krt.dev/kn-krt/pkg/cli/remote/shape"
	"krt.dev/kn-krt/pkg/cli/term"
	"krt.dev/kn-krt/pkg/cluster"
	"krt.dev/kn-krt/pkg/legible"
)

type describeOptions struct {
	showOptions

	verbose bool
}

func newDescribeCommand(s term.Streams) *cobra.Command {
	o := describeOptions{showOptions: showOptions{streams: s}}
	cmd := &cobra.Command{
		Use:   "describe NAME",
		Short: "Show details of a version",
		Example: `  kn-krt describe price-estimator-v3
  kn-krt describe price-estimator-v3 -v
  kn-krt describe price-estimator-v3 -o url`,
	}
	showCommand(cmd, &o.showOptions, func(ctx context.Context, c *Cluster) error { return runDescribe(ctx, c, o) })
	cmd.Flags().BoolVarP(&o.verbose, "verbose", "v", false, "also print images, revisions, all messages and the whole history")
	o.out.AddFlags(cmd, printing.URL)
	return cmd
}

func runDescribe(ctx context.Context, c *Cluster, o describeOptions) error {
	v, err := c.Get(ctx, o.name)
	if err != nil {
		return err
	}
	switch {
	case o.out.Machine():
		return o.out.Write(o.streams.Out, v)
	case o.out.Format == printing.Name:
		_, err = fmt.Fprintln(o.streams.Out, resourceName(v))
		return err
	case o.out.Format == printing.URL:
		_, err = fmt.Fprintln(o.streams.Out, legible.Printable(versionURL(v)))
		return err
	}
	// Without the right to read what is published, the rest is shown.
	r, _ := c.Runtime(ctx)
	if err := o.head(v, r); err != nil {
		return err
	}
	if err := o.nodes(v); err != nil {
		return err
	}
	if err := o.workflows(v); err != nil {
		return err
	}
	o.conditions(v.Status.Conditions)
	return o.history(v)
}

func (o *describeOptions) head(v *v1alpha1.Version, r *v1alpha1.Runtime) error {
	type line struct{ label, value string }
	lines := []line{
		{"Name", v.Name},
		{"Namespace", v.Namespace},
		{"Description", v.Spec.Description},
		{"Phase", string(cluster.Phase(v))},
		{"Traffic", trafficOf(v, r)},
		{"Age", age(v.CreationTimestamp)},
		{"URL", versionURL(v)},
		{"Delivery", string(v.Delivery())},
		{"Channel", shape.Channel(v)},
	}
	if v.Spec.Entrypoint.Timeout != nil {
		lines = append(lines, line{"Timeout", v.Spec.Entrypoint.Timeout.Duration.String()})
	}
	lines = append(lines, line{"Config", strings.Join(declaredConfig(v), ", ")})
	lines = append(lines, line{"Warm", shape.Warm(v)})
	lines = slices.DeleteFunc(lines, func(l line) bool { return l.value == "" })
	return term.WriteTable(o.streams.Out, []term.Column[line]{
		{Cell: func(l line) string { return l.label + ":" }},
		{Cell: func(l line) string { return l.value }},
	}, lines)
}

// trafficOf is what the version gets, with the canary's verdict; nothing if it gets nothing.
func trafficOf(v *v1alpha1.Version, r *v1alpha1.Runtime) string {
	traffic := division.Of(r, v.Name)
	if traffic == "" || r.Status.Canary == nil {
		return traffic
	}
	if s := r.Status.Canary; s.Version != v.Name {
		return fmt.Sprintf("%s; canary %s: %s", traffic, s.Version, division.Of(r, s.Version))
	}
	return fmt.Sprintf("%s, as the canary of %s. %s", traffic, r.Status.PublishedVersion, division.Verdict(r))
}

func (o *describeOptions) nodes(v *v1alpha1.Version) error {
	type node = v1alpha1.Node
	fmt.Fprintf(o.streams.Out, "\nNodes:\n")
	columns := []term.Column[node]{
		{Head: "  OK", Cell: func(n node) string { return "  " + shape.NodeState(v, n.Name).Sign }},
		{Head: "NAME", Cell: shape.NodeName},
		{Head: "REASON", Cell: func(n node) string { return shape.NodeState(v, n.Name).Text(o.verbose) }},
	}
	if o.verbose {
		columns = append(columns,
			term.Column[node]{Head: "REVISION", Cell: func(n node) string { return shape.NodeState(v, n.Name).Revision }},
			term.Column[node]{Head: "IMAGE", Cell: func(n node) string { return cmp.Or(shape.NodeState(v, n.Name).Image, n.Image) }})
	}
	return term.WriteTable(o.streams.Out, columns, v.Spec.Nodes)
}

func (o *describeOptions) workflows(v *v1alpha1.Version) error {
	type workflow = v1alpha1.Workflow
	fmt.Fprintf(o.streams.Out, "\nWorkflows:\n")
	return term.WriteTable(o.streams.Out, []term.Column[workflow]{
		{Head: "  OK", Cell: func(w workflow) string { return "  " + shape.WorkflowState(v, w.Name).Sign }},
		{Head: "NAME", Cell: func(w workflow) string { return w.Name }},
		{Head: "RPC", Cell: func(w workflow) string { return w.Entrypoint }},
		{Head: "NODES", Cell: func(w workflow) string { return strings.Join(w.Sequential, " → ") }},
		{Head: "REASON", Cell: func(w workflow) string { return shape.WorkflowState(v, w.Name).Text(o.verbose) }},
	}, v.Spec.Workflows)
}

// conditions prints kn's table of conditions, Ready first.
func (o *describeOptions) conditions(conditions []metav1.Condition) {
	if len(conditions) == 0 {
		fmt.Fprintf(o.streams.Out, "\nConditions: none yet, the controller has not seen it\n")
		return
	}
	conditions = slices.Clone(conditions)
	rank := func(c metav1.Condition) int {
		if c.Type == v1alpha1.ConditionReady {
			return 0
		}
		return 1
	}
	slices.SortStableFunc(conditions, func(a, b metav1.Condition) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a.Type, b.Type))
	})
	width := len("TYPE")
	for _, c := range conditions {
		width = max(width, len(c.Type))
	}
	fmt.Fprintf(o.streams.Out, "\nConditions:\n")
	fmt.Fprintf(o.streams.Out, "  %-2s %-*s %6s %s\n", "OK", width, "TYPE", "AGE", "REASON")
	for _, c := range conditions {
		sign, reason := shape.Mark(c), c.Reason
		if c.Message != "" && (o.verbose || sign == term.MarkBad || sign == term.MarkWarning) {
			reason += " (" + c.Message + ")"
		}
		if sign == term.MarkGood && !o.verbose {
			reason = ""
		}
		line := fmt.Sprintf("  %s %-*s %6s %s", o.streams.Paint(sign), width, legible.Printable(c.Type), age(c.LastTransitionTime),
			legible.Printable(reason))
		fmt.Fprintln(o.streams.Out, strings.TrimRight(line, " "))
	}
}

// shortHistory is how many changes are shown unless all are asked for.
const shortHistory = 3

func (o *describeOptions) history(v *v1alpha1.Version) error {
	history := cluster.History(v)
	if !o.verbose {
		history = history[max(0, len(history)-shortHistory):]
	}
	if len(history) == 0 {
		return nil
	}
	fmt.Fprintf(o.streams.Out, "\nHistory:\n")
	type event = cluster.HistoryEvent
	return term.WriteTable(o.streams.Out, []term.Column[event]{
		{Head: "  AGE", Cell: func(e event) string { return "  " + age(e.Time) }},
		{Head: "STATE", Cell: func(e event) string { return e.What }},
		{Head: "COMMENT", Cell: func(e event) string { return e.Comment }},
	}, history)
}
