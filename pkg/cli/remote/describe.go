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
	o.out.addFlags(cmd, outputURL)
	return cmd
}

func runDescribe(ctx context.Context, c *Cluster, o describeOptions) error {
	v, err := c.Get(ctx, o.name)
	if err != nil {
		return err
	}
	switch {
	case o.out.machine():
		return o.out.write(o.streams.Out, v)
	case o.out.format == outputName:
		_, err = fmt.Fprintln(o.streams.Out, resourceName(v))
		return err
	case o.out.format == outputURL:
		_, err = fmt.Fprintln(o.streams.Out, legible.Printable(versionURL(v)))
		return err
	}
	if err := o.head(v); err != nil {
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

func (o *describeOptions) head(v *v1alpha1.Version) error {
	type line struct{ label, value string }
	lines := []line{
		{"Name", v.Name},
		{"Namespace", v.Namespace},
		{"Description", v.Spec.Description},
		{"Phase", string(cluster.Phase(v))},
		{"Age", age(v.CreationTimestamp)},
		{"URL", versionURL(v)},
		{"Delivery", string(v.Delivery())},
	}
	if v.Spec.Entrypoint.Timeout != nil {
		lines = append(lines, line{"Timeout", v.Spec.Entrypoint.Timeout.Duration.String()})
	}
	lines = append(lines, line{"Config", strings.Join(declaredConfig(v), ", ")})
	lines = slices.DeleteFunc(lines, func(l line) bool { return l.value == "" })
	return term.WriteTable(o.streams.Out, []term.Column[line]{
		{Cell: func(l line) string { return l.label + ":" }},
		{Cell: func(l line) string { return l.value }},
	}, lines)
}

func (o *describeOptions) nodes(v *v1alpha1.Version) error {
	type node = v1alpha1.Node
	fmt.Fprintf(o.streams.Out, "\nNodes:\n")
	columns := []term.Column[node]{
		{Head: "  OK", Cell: func(n node) string { return "  " + nodeState(v, n.Name).mark }},
		{Head: "NAME", Cell: func(n node) string {
			if n.GPU {
				return n.Name + " (GPU)"
			}
			return n.Name
		}},
		{Head: "REASON", Cell: func(n node) string { return nodeState(v, n.Name).text(o.verbose) }},
	}
	if o.verbose {
		columns = append(columns,
			term.Column[node]{Head: "REVISION", Cell: func(n node) string { return nodeState(v, n.Name).revision }},
			term.Column[node]{Head: "IMAGE", Cell: func(n node) string { return cmp.Or(nodeState(v, n.Name).image, n.Image) }})
	}
	return term.WriteTable(o.streams.Out, columns, v.Spec.Nodes)
}

func (o *describeOptions) workflows(v *v1alpha1.Version) error {
	type workflow = v1alpha1.Workflow
	fmt.Fprintf(o.streams.Out, "\nWorkflows:\n")
	return term.WriteTable(o.streams.Out, []term.Column[workflow]{
		{Head: "  OK", Cell: func(w workflow) string { return "  " + workflowState(v, w.Name).mark }},
		{Head: "NAME", Cell: func(w workflow) string { return w.Name }},
		{Head: "RPC", Cell: func(w workflow) string { return w.Entrypoint }},
		{Head: "NODES", Cell: func(w workflow) string { return strings.Join(w.Sequential, " → ") }},
		{Head: "REASON", Cell: func(w workflow) string { return workflowState(v, w.Name).text(o.verbose) }},
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
		sign, reason := mark(c), c.Reason
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

// state is how a node or workflow does.
type state struct {
	mark, reason, message string
	revision, image       string
}

// text is the reason, with the message where something is wrong or all is asked for.
func (s state) text(all bool) string {
	if s.mark == term.MarkGood && !all {
		return ""
	}
	if s.message != "" && (all || s.mark == term.MarkBad) {
		return strings.TrimSpace(s.reason + " (" + s.message + ")")
	}
	return s.reason
}

// nodeState is the state of the named node; unknown before the controller has set it.
func nodeState(v *v1alpha1.Version, name string) state {
	for _, n := range v.Status.Nodes {
		if n.Name == name {
			return state{partMark(n.Ready, n.Reason), n.Reason, n.Message, n.Revision, n.Image}
		}
	}
	return state{mark: term.MarkUnknown}
}

// workflowState is the state of the named workflow.
func workflowState(v *v1alpha1.Version, name string) state {
	for _, w := range v.Status.Workflows {
		if w.Name == name {
			return state{mark: partMark(w.Ready, w.Reason), reason: w.Reason, message: w.Message}
		}
	}
	return state{mark: term.MarkUnknown}
}

// partMark is the mark of a node or workflow.
func partMark(ready bool, reason string) string {
	switch {
	case ready:
		return term.MarkGood
	case reason == "", reason == v1alpha1.ReasonDeploying:
		return term.MarkUnknown
	case v1alpha1.IsExpected(reason):
		return term.MarkInfo
	default:
		return term.MarkBad
	}
}
