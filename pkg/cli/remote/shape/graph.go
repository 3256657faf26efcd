package shape

import (
	"fmt"
	"strings"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/cli/term"
	"krt.dev/kn-krt/pkg/cluster"
	"krt.dev/kn-krt/pkg/legible"
)

// Text writes what the version gets of the requests and each workflow as a chain, and below it what
// is wrong.
func Text(w *strings.Builder, s term.Streams, v *v1alpha1.Version, traffic string) {
	if traffic != "" {
		traffic = ", traffic " + traffic
	}
	fmt.Fprintf(w, "%s: %s%s\n", v.Name, legible.Printable(string(cluster.Phase(v))), traffic)
	entrypoint := EntrypointState(v)
	trouble(w, s, "entrypoint", entrypoint)
	for _, workflow := range v.Spec.Workflows {
		own := WorkflowState(v, workflow.Name)
		fmt.Fprintf(w, "\n%s %s (%s)\n", s.Paint(own.Sign), workflow.Name, workflow.Entrypoint)
		fmt.Fprintf(w, "   client → %s entrypoint", s.Paint(entrypoint.Sign))
		for _, node := range workflow.Sequential {
			fmt.Fprintf(w, " → %s %s", s.Paint(NodeState(v, node).Sign), node)
		}
		fmt.Fprintf(w, " → client\n")
		for _, node := range workflow.Sequential {
			trouble(w, s, node, NodeState(v, node))
		}
		trouble(w, s, "workflow", own)
	}
}

func trouble(w *strings.Builder, s term.Streams, name string, state State) {
	if state.Sign == term.MarkBad {
		fmt.Fprintf(w, "   %s %s: %s\n", s.Paint(state.Sign), name, legible.Printable(state.Text(true)))
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
func colourOf(s State) string {
	switch s.Sign {
	case term.MarkGood:
		return "#c8e6c9"
	case term.MarkBad:
		return "#ffcdd2"
	default:
		return "#eeeeee"
	}
}

// vertices are the entrypoint and the nodes, with their states.
func vertices(v *v1alpha1.Version) (names []string, states []State) {
	names, states = []string{"entrypoint"}, []State{EntrypointState(v)}
	for _, n := range v.Spec.Nodes {
		names, states = append(names, n.Name), append(states, NodeState(v, n.Name))
	}
	return names, states
}

// Dot writes the graph for Graphviz.
func Dot(w *strings.Builder, v *v1alpha1.Version) {
	fmt.Fprintf(w, "digraph %q {\n  rankdir=LR;\n  node [shape=box, style=\"rounded,filled\"];\n", v.Name)
	names, states := vertices(v)
	for i, name := range names {
		fmt.Fprintf(w, "  %q [fillcolor=%q, tooltip=%q];\n", name, colourOf(states[i]), states[i].Text(true))
	}
	for _, e := range edges(v) {
		fmt.Fprintf(w, "  %q -> %q [label=%q];\n", e.from, e.to, e.workflow)
	}
	fmt.Fprintf(w, "}\n")
}

// Mermaid writes the graph for Mermaid. Its ids know few characters and some
// words mean something, so that nodes are numbered.
func Mermaid(w *strings.Builder, v *v1alpha1.Version) {
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
