package remote

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/cli/term"
	"krt.dev/kn-krt/pkg/cluster"
	"krt.dev/kn-krt/pkg/legible"
)

// Values of graph's --output.
const (
	outputDot     = "dot"
	outputMermaid = "mermaid"
)

type graphOptions struct {
	streams term.Streams
	name    string
	output  string
}

func newGraphCommand(s term.Streams) *cobra.Command {
	o := graphOptions{streams: s}
	cmd := &cobra.Command{
		Use:   "graph NAME",
		Short: "Show the workflows of a version and the state of their nodes",
		Example: `  kn-krt graph price-estimator-v3
  kn-krt graph price-estimator-v3 -o dot | dot -Tsvg > graph.svg
  kn-krt graph price-estimator-v3 -o mermaid`,
		Args:              term.Arguments(cobra.ExactArgs(1)),
		ValidArgsFunction: completeVersions(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.name = args[0]
			return connected(cmd, func(ctx context.Context, c *Cluster) error { return runGraph(ctx, c, o) })
		},
	}
	NamespaceFlag(cmd)
	o.output = term.OutputText
	term.Choice{
		Name: "output", Short: "o", Usage: "output format, dot being Graphviz's", Of: []string{term.OutputText, outputDot, outputMermaid},
	}.AddTo(cmd, &o.output)
	return cmd
}

func runGraph(ctx context.Context, c *Cluster, o graphOptions) error {
	v, err := c.Get(ctx, o.name)
	if err != nil {
		return err
	}
	var text strings.Builder
	switch o.output {
	case outputDot:
		writeDot(&text, v)
	case outputMermaid:
		writeMermaid(&text, v)
	default:
		o.writeText(&text, v)
	}
	_, err = io.WriteString(o.streams.Out, text.String())
	return err
}

// entrypointState is the state of the version's entrypoint.
func entrypointState(v *v1alpha1.Version) state {
	c := v.Status.Condition(v1alpha1.ConditionEntrypointReady)
	if c == nil {
		return state{mark: term.MarkUnknown}
	}
	return state{mark: mark(*c), reason: c.Reason, message: c.Message}
}

// writeText writes each workflow as a chain, and below it what is wrong.
func (o *graphOptions) writeText(w *strings.Builder, v *v1alpha1.Version) {
	fmt.Fprintf(w, "%s: %s\n", v.Name, legible.Printable(string(cluster.Phase(v))))
	entrypoint := entrypointState(v)
	o.writeTrouble(w, "entrypoint", entrypoint)
	for _, workflow := range v.Spec.Workflows {
		own := workflowState(v, workflow.Name)
		fmt.Fprintf(w, "\n%s %s (%s)\n", o.streams.Paint(own.mark), workflow.Name, workflow.Entrypoint)
		fmt.Fprintf(w, "   client → %s entrypoint", o.streams.Paint(entrypoint.mark))
		for _, node := range workflow.Sequential {
			fmt.Fprintf(w, " → %s %s", o.streams.Paint(nodeState(v, node).mark), node)
		}
		fmt.Fprintf(w, " → client\n")
		for _, node := range workflow.Sequential {
			o.writeTrouble(w, node, nodeState(v, node))
		}
		o.writeTrouble(w, "workflow", own)
	}
}

func (o *graphOptions) writeTrouble(w *strings.Builder, name string, s state) {
	if s.mark == term.MarkBad {
		fmt.Fprintf(w, "   %s %s: %s\n", o.streams.Paint(s.mark), name, legible.Printable(s.text(true)))
	}
}

// edge is one hand-over of a workflow.
type edge struct{ from, to, workflow string }

// edges are the hand-overs of all workflows; a node is one however many use it.
func edges(v *v1alpha1.Version) []edge {
	var all []edge
	for _, w := range v.Spec.Workflows {
		from := "entrypoint"
		for _, node := range w.Sequential {
			all = append(all, edge{from, node, w.Name})
			from = node
		}
	}
	return all
}

// colourOf is the colour of a state in drawings.
func colourOf(s state) string {
	switch s.mark {
	case term.MarkGood:
		return "#c8e6c9"
	case term.MarkBad:
		return "#ffcdd2"
	default:
		return "#eeeeee"
	}
}

// vertices are the entrypoint and the nodes, with their states.
func vertices(v *v1alpha1.Version) (names []string, states []state) {
	names, states = []string{"entrypoint"}, []state{entrypointState(v)}
	for _, n := range v.Spec.Nodes {
		names, states = append(names, n.Name), append(states, nodeState(v, n.Name))
	}
	return names, states
}

// writeDot writes the graph for Graphviz.
func writeDot(w *strings.Builder, v *v1alpha1.Version) {
	fmt.Fprintf(w, "digraph %q {\n  rankdir=LR;\n  node [shape=box, style=\"rounded,filled\"];\n", v.Name)
	names, states := vertices(v)
	for i, name := range names {
		fmt.Fprintf(w, "  %q [fillcolor=%q, tooltip=%q];\n", name, colourOf(states[i]), states[i].text(true))
	}
	for _, e := range edges(v) {
		fmt.Fprintf(w, "  %q -> %q [label=%q];\n", e.from, e.to, e.workflow)
	}
	fmt.Fprintf(w, "}\n")
}

// writeMermaid writes the graph for Mermaid. Its ids know few characters and some
// words mean something, so that nodes are numbered.
func writeMermaid(w *strings.Builder, v *v1alpha1.Version) {
	fmt.Fprintf(w, "flowchart LR\n")
	names, states := vertices(v)
	ids := map[string]string{}
	for i, name := range names {
		ids[name] = fmt.Sprintf("n%d", i)
		fmt.Fprintf(w, "  n%d[\"%s\"]\n  style n%d fill:%s\n", i, name, i, colourOf(states[i]))
	}
	for _, e := range edges(v) {
		fmt.Fprintf(w, "  %s -->|%s| %s\n", ids[e.from], e.workflow, ids[e.to])
	}
}
