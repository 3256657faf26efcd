package remote

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/cli/remote/division"
	"krt.dev/kn-krt/pkg/cli/remote/printing"
	"krt.dev/kn-krt/pkg/cli/term"
	"krt.dev/kn-krt/pkg/cluster"
	"krt.dev/kn-krt/pkg/legible"
)

type listOptions struct {
	streams term.Streams
	name    string
	all     bool
	out     printing.Output

	noHeaders bool

	runtimes map[string]*v1alpha1.Runtime // by namespace
}

func newListCommand(s term.Streams) *cobra.Command {
	o := listOptions{streams: s}
	cmd := &cobra.Command{
		Use:     "list [NAME]",
		Aliases: []string{"ls"},
		Short:   "List versions",
		Example: `  kn-krt list
  kn-krt list -A -o wide
  kn-krt list -o jsonpath='{.items[*].metadata.name}'`,
		Args:              term.Arguments(cobra.MaximumNArgs(1)),
		ValidArgsFunction: completeVersions(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.out.Prepare(cmd); err != nil {
				return err
			}
			if len(args) > 0 {
				o.name = args[0]
			}
			return connected(cmd, func(ctx context.Context, c *Cluster) error { return runList(ctx, c, o) })
		},
	}
	NamespaceFlag(cmd)
	cmd.Flags().BoolVarP(&o.all, "all-namespaces", "A", false, "list the versions of all namespaces")
	cmd.Flags().BoolVar(&o.noHeaders, "no-headers", false, "print no table header")
	o.out.AddFlags(cmd, printing.Wide, printing.URL)
	return cmd
}

func runList(ctx context.Context, c *Cluster, o listOptions) error {
	client := c.Client
	if o.all {
		client = client.In(metav1.NamespaceAll)
	}
	list, err := client.List(ctx)
	if err != nil {
		return err
	}
	if o.name != "" {
		list.Items = slices.DeleteFunc(list.Items, func(v v1alpha1.Version) bool { return v.Name != o.name })
	}
	if o.out.Machine() {
		// As kubectl and kn do: a list of any kinds.
		list.APIVersion, list.Kind = "v1", "List"
		return o.out.Write(o.streams.Out, list)
	}
	if len(list.Items) == 0 {
		if o.out.Format != printing.Name && o.out.Format != printing.URL {
			fmt.Fprintln(o.streams.Out, "No versions found.")
		}
		return nil
	}
	if o.out.Format != printing.Name && o.out.Format != printing.URL {
		// Without the right to read what is published, the table shows the rest.
		o.runtimes, _ = client.Runtimes(ctx)
	}
	return o.table(list.Items)
}

func (o *listOptions) table(versions []v1alpha1.Version) error {
	switch o.out.Format {
	case printing.Name:
		for i := range versions {
			fmt.Fprintln(o.streams.Out, resourceName(&versions[i]))
		}
		return nil
	case printing.URL:
		for i := range versions {
			fmt.Fprintln(o.streams.Out, legible.Printable(versionURL(&versions[i])))
		}
		return nil
	}
	columns := o.columns()
	if o.noHeaders {
		columns = term.WithoutHeads(columns)
	}
	return term.WriteTable(o.streams.Out, columns, versions)
}

func (o *listOptions) columns() []term.Column[v1alpha1.Version] {
	type version = v1alpha1.Version
	columns := []term.Column[version]{
		{Head: "NAME", Cell: func(v version) string { return v.Name }},
		{Head: "PHASE", Cell: func(v version) string { return string(cluster.Phase(&v)) }},
		{Head: "TRAFFIC", Cell: func(v version) string { return division.Of(o.runtimes[v.Namespace], v.Name) }},
		{Head: "AGE", Cell: func(v version) string { return age(v.CreationTimestamp) }},
		{Head: "CONDITIONS", Cell: func(v version) string { return conditionCount(v.Status.Conditions) }},
		{Head: "READY", Cell: func(v version) string { return string(readyCondition(&v).Status) }},
		{Head: "REASON", Cell: func(v version) string { return readyCondition(&v).Reason }},
	}
	if o.all {
		columns = slices.Insert(columns, 0, term.Column[version]{Head: "NAMESPACE", Cell: func(v version) string { return v.Namespace }})
	}
	if o.out.Format == printing.Wide {
		columns = append(columns, []term.Column[version]{
			{Head: "URL", Cell: func(v version) string { return versionURL(&v) }},
			{Head: "DELIVERY", Cell: func(v version) string { return string(v.Delivery()) }},
			{Head: "NODES", Cell: func(v version) string { return strconv.Itoa(len(v.Spec.Nodes)) }},
			{Head: "WORKFLOWS", Cell: func(v version) string { return strconv.Itoa(len(v.Spec.Workflows)) }},
			{Head: "DESCRIPTION", Cell: func(v version) string { return v.Spec.Description }},
		}...)
	}
	return columns
}

// readyCondition is the version's condition Ready, with a reason only while it is not true.
func readyCondition(v *v1alpha1.Version) metav1.Condition {
	c := v.Status.Condition(v1alpha1.ConditionReady)
	switch {
	case c == nil:
		return metav1.Condition{Status: metav1.ConditionUnknown}
	case c.Status == metav1.ConditionTrue:
		return metav1.Condition{Status: c.Status}
	}
	return *c
}

// conditionCount counts the conditions that are true, as kn does: "4 OK / 5".
func conditionCount(conditions []metav1.Condition) string {
	good, all := 0, 0
	for _, c := range conditions {
		switch c.Type {
		case v1alpha1.ConditionPublished, v1alpha1.ConditionStopRefused, v1alpha1.ConditionDeleteRefused:
			continue // they are not about how well the version runs
		}
		all++
		if c.Status == metav1.ConditionTrue {
			good++
		}
	}
	return fmt.Sprintf("%d OK / %d", good, all)
}

// versionURL is the version's address in the cluster; nothing before it has one.
func versionURL(v *v1alpha1.Version) string {
	if v.Status.Address == nil {
		return ""
	}
	return v.Status.Address.URL
}

// resourceName names the version as -o name does.
func resourceName(v *v1alpha1.Version) string {
	return "version." + v1alpha1.GroupVersion.Group + "/" + v.Name
}
