package remote

import (
	"context"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/cluster"
)

// completeTimeout bounds how long a shell waits for suggestions.
const completeTimeout = 2 * time.Second

type completion = func(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective)

// ask runs f with a client of the cluster for a shell; without a cluster there is nothing
// to suggest.
func ask(cmd *cobra.Command, f func(ctx context.Context, c *Cluster) ([]string, error)) ([]string, cobra.ShellCompDirective) {
	c, err := Connect(cmd)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), completeTimeout)
	defer cancel()
	names, err := f(ctx, c)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	slices.Sort(names)
	return names, cobra.ShellCompDirectiveNoFileComp
}

// completeVersions suggests at most limit versions as arguments (0: any number),
// each with its phase.
func completeVersions(limit int) completion {
	return func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		if limit > 0 && len(args) >= limit {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return ask(cmd, func(ctx context.Context, c *Cluster) ([]string, error) {
			list, err := c.List(ctx)
			if err != nil {
				return nil, err
			}
			var names []string
			for _, v := range list.Items {
				if !slices.Contains(args, v.Name) {
					names = append(names, v.Name+"\t"+string(v.Status.Phase))
				}
			}
			return names, nil
		})
	}
}

// completeNames suggests what pick finds in the version that the first argument
// names; it completes a flag.
func completeNames(pick func(*v1alpha1.Version) []string) completion {
	return func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		if len(args) == 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return ask(cmd, func(ctx context.Context, c *Cluster) ([]string, error) {
			v, err := c.Get(ctx, args[0])
			if err != nil {
				return nil, err
			}
			return pick(v), nil
		})
	}
}

func completeNamespaces(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	return ask(cmd, func(ctx context.Context, c *Cluster) ([]string, error) { return c.Namespaces(ctx) })
}

func completeContexts(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	return cluster.Contexts(options(cmd)), cobra.ShellCompDirectiveNoFileComp
}

// versionNodes are the names of a version's nodes.
func versionNodes(v *v1alpha1.Version) []string {
	names := make([]string, len(v.Spec.Nodes))
	for i := range v.Spec.Nodes {
		names[i] = v.Spec.Nodes[i].Name
	}
	return names
}

// versionWorkflows are the names of a version's workflows.
func versionWorkflows(v *v1alpha1.Version) []string {
	names := make([]string, len(v.Spec.Workflows))
	for i := range v.Spec.Workflows {
		names[i] = v.Spec.Workflows[i].Name
	}
	return names
}
