package remote

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/cli/term"
	"krt.dev/kn-krt/pkg/krt/spelling"
	"krt.dev/kn-krt/pkg/render"
)

type logsOptions struct {
	streams  term.Streams
	name     string
	follow   bool
	nodes    []string
	workflow string
	since    time.Duration
	tail     int64
	output   string
}

// entrypointPart is what --node takes for the version's entrypoint. No node may be
// called so (KRT V1, reserved names).
const entrypointPart = "entrypoint"

func newLogsCommand(s term.Streams) *cobra.Command {
	o := logsOptions{streams: s}
	cmd := &cobra.Command{
		Use:   "logs NAME",
		Short: "Show the logs of a version's nodes and entrypoint",
		Long: `Show what the nodes of a version and its entrypoint have logged, in the order of time.
Only pods that are there still have logs: a node that is scaled to zero has none.

With -f, new lines are shown as they come, also those of pods that start later.`,
		Example: `  kn-krt logs price-estimator-v3 -f
  kn-krt logs price-estimator-v3 --node model --since 10m
  kn-krt logs price-estimator-v3 --workflow ny-room-price -o json`,
		Args:              term.Arguments(cobra.ExactArgs(1)),
		ValidArgsFunction: completeVersions(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := term.CheckOutput(cmd, o.output); err != nil {
				return err
			}
			if o.since < 0 || o.tail < -1 {
				return term.UsageError(cmd, "--since and --tail must not be negative")
			}
			o.name = args[0]
			c, err := Connect(cmd)
			if err != nil {
				return err
			}
			return runLogs(cmd.Context(), c, o)
		},
	}
	NamespaceFlag(cmd)
	flags := cmd.Flags()
	flags.BoolVarP(&o.follow, "follow", "f", false, "go on until interrupted")
	flags.StringSliceVar(&o.nodes, "node", nil, "show this node only, or the entrypoint (may be repeated)")
	flags.StringVar(&o.workflow, "workflow", "", "show only lines about this workflow")
	flags.DurationVar(&o.since, "since", 0, "show only lines newer than this, such as 10m")
	flags.Int64Var(&o.tail, "tail", -1, "show only so many of each pod's last lines")
	term.OutputFlag(cmd, &o.output)
	// The flags were added just above, so these cannot fail.
	_ = cmd.RegisterFlagCompletionFunc("node", completeParts(func(v *v1alpha1.Version) []string {
		return append(versionNodes(v), entrypointPart)
	}))
	_ = cmd.RegisterFlagCompletionFunc("workflow", completeParts(versionWorkflows))
	return cmd
}

func runLogs(ctx context.Context, c *Cluster, o logsOptions) error {
	v, err := c.version(ctx, o.name)
	if err != nil {
		return err
	}
	if err := o.check(v); err != nil {
		return err
	}
	pods, err := c.versionPods(ctx, o.name)
	if err != nil {
		return err
	}
	r := newLogReader(c, o)
	if o.follow {
		return r.follow(ctx, pods)
	}
	var ready []corev1.Pod
	waiting := false
	for _, p := range pods.Items {
		switch {
		case r.wants(&p):
			ready = append(ready, p)
		case r.meant(&p):
			waiting = true
		}
	}
	if len(ready) == 0 {
		o.explainNothing(c, v, waiting)
		return nil
	}
	return r.read(ctx, ready)
}

// check refuses names that the version does not have.
func (o *logsOptions) check(v *v1alpha1.Version) error {
	known := append(versionNodes(v), entrypointPart)
	for _, name := range o.nodes {
		if !slices.Contains(known, name) {
			return term.FailAs(term.ExitNotFound, fmt.Errorf("version %q has no node %q%s", v.Name, name, spelling.Hint(name, known)),
				"It has: %s", strings.Join(known, ", "))
		}
	}
	if workflows := versionWorkflows(v); o.workflow != "" && !slices.Contains(workflows, o.workflow) {
		return term.FailAs(term.ExitNotFound, fmt.Errorf("version %q has no workflow %q%s", v.Name, o.workflow, spelling.Hint(o.workflow, workflows)),
			"It has: %s", strings.Join(workflows, ", "))
	}
	return nil
}

// explainNothing says why there is no pod to read logs of. That is no error.
func (o *logsOptions) explainNothing(c *Cluster, v *v1alpha1.Version, waiting bool) {
	why := "what is asked for is scaled to zero"
	switch {
	case waiting:
		why = fmt.Sprintf("what is asked for does not run yet ('%s' says why)", c.command("describe %s", v.Name))
	case v.WantedState() != v1alpha1.StateStarted:
		why = "it is stopped"
	}
	fmt.Fprintf(o.streams.Err, "No pod of version '%s' has logs: %s. '%s' shows lines as they come.\n", v.Name, why, c.command("logs %s -f", v.Name))
}

// versionPods are the pods of the version's nodes and entrypoint.
func (c *Cluster) versionPods(ctx context.Context, version string) (*corev1.PodList, error) {
	pods := &corev1.PodList{}
	if err := c.List(ctx, pods, c.in(), versionLabel(version)); err != nil {
		return nil, c.Explain(err, fmt.Sprintf("cannot find the pods of version %q", version))
	}
	return pods, nil
}

func versionLabel(version string) client.MatchingLabels {
	return client.MatchingLabels{render.LabelVersion: version}
}

// partOf is the node whose pod it is, or the entrypoint, and the container with its
// logs; a Knative Service's pod has Knative's own beside it.
func partOf(p *corev1.Pod) (part, container string) {
	if node := p.Labels[render.LabelNode]; node != "" {
		return node, "user-container"
	}
	if len(p.Spec.Containers) == 0 {
		return "", ""
	}
	return entrypointPart, p.Spec.Containers[0].Name
}
