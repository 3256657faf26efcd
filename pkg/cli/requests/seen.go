package requests

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"krt.dev/kn-krt/pkg/inspection"
	"krt.dev/kn-krt/pkg/legible"
)

// seen is what the kept requests have instead of a workflow or node that none of them has.
func (o *options) seen(ctx context.Context, from *Running) string {
	if o.filter.Workflow == "" && o.filter.Node == "" {
		return ""
	}
	all, err := from.List(ctx, inspection.Filter{})
	if err != nil {
		return ""
	}
	workflows, nodes := map[string]bool{}, map[string]bool{}
	for i := range all {
		workflows[all[i].Workflow] = true
		for j := range all[i].Steps {
			nodes[all[i].Steps[j].Node] = true
		}
	}
	return without("workflow", o.filter.Workflow, workflows) + without("node", o.filter.Node, nodes)
}

// without says that no request has the named thing of a kind, but others; "" if that is not so.
func without(kind, name string, of map[string]bool) string {
	if name == "" || of[name] || len(of) == 0 {
		return ""
	}
	var names []string
	for _, one := range slices.Sorted(maps.Keys(of)) {
		names = append(names, legible.Line(one, maxName))
	}
	return fmt.Sprintf(" None has the %s %q; those that are kept have: %s.", kind, name, strings.Join(names, ", "))
}
