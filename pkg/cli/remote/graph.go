package remote

import (
	"context"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"krt.dev/kn-krt/pkg/cli/remote/division"
	"krt.dev/kn-krt/pkg/cli/remote/shape"
	"krt.dev/kn-krt/pkg/cli/term"
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
		shape.Dot(&text, v)
	case outputMermaid:
		shape.Mermaid(&text, v)
	default:
		// Without the right to read what is published, the rest is shown.
		r, _ := c.Runtime(ctx)
		shape.Text(&text, o.streams, v, division.Of(r, v.Name))
	}
	_, err = io.WriteString(o.streams.Out, text.String())
	return err
}
