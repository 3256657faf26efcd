package promql

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"krt.dev/kn-krt/pkg/dashboard/source"
	"krt.dev/kn-krt/pkg/monitoring"
)

// label is the label by which the parts of a query's result differ. No metric of ours has it.
const label = "krt_measure"

// The values of the label, besides the source's measures.
const (
	waited  = "waited"
	retried = "retried"
	gaveUp  = "gave_up"
)

// query is one query for all that is known of a version, whatever its number of nodes: the
// parts have the labels workflow and node, as far as they are of one.
func query(ref source.Ref, over time.Duration) string {
	of := fmt.Sprintf("namespace=%s,version=%s", quote(ref.Namespace), quote(ref.Name))
	rate := func(metric, more string) string {
		return fmt.Sprintf("rate(%s{%s%s}[%ds])", metric, of, more, int(over.Seconds()))
	}
	sum := func(by, metric, more string) string { return fmt.Sprintf("sum by (%s) (%s)", by, rate(metric, more)) }
	quantile := func(share, by, metric, more string) string {
		return fmt.Sprintf("histogram_quantile(%s, %s)", share, sum(by+", le", metric+"_bucket", more))
	}
	const (
		requests, duration   = "krt_requests_total", "krt_request_duration_seconds"
		steps, wait          = "krt_step_duration_seconds", "krt_step_wait_seconds"
		attempts             = "krt_step_attempts_total"
		workflow, node, done = "workflow", "workflow, node", `,outcome!="reply"`
	)
	return join([]part{
		{string(source.Requests), sum(workflow, requests, "")},
		{string(source.Errors), sum(workflow, requests, ",code=~"+quote(monitoring.ServerErrors))},
		{string(source.Median), quantile("0.5", workflow, duration, "")},
		{string(source.Slowest), quantile("0.95", workflow, duration, "")},
		{string(source.Requests), sum(node, steps+"_count", done)},
		{string(source.Errors), sum(node, steps+"_count", `,outcome="error"`)},
		{string(source.Median), quantile("0.5", node, steps, done)},
		{string(source.Slowest), quantile("0.95", node, steps, done)},
		{waited, quantile("0.95", node, wait, "")},
		{retried, sum(node, attempts, `,result="retried"`)},
		{gaveUp, sum(node, attempts, `,result="gave_up"`)},
		{string(source.Pods), pods(ref)},
	})
}

// part is an expression of a query, and what its values are.
type part struct{ measure, expr string }

// join makes one query of parts, whose results have the label.
func join(parts []part) string {
	exprs := make([]string, len(parts))
	for i, p := range parts {
		exprs[i] = fmt.Sprintf("label_replace(%s, %q, %q, \"\", \"\")", p.expr, label, p.measure)
	}
	return strings.Join(exprs, "\nor ")
}

// pods are those of each node that are ready, where kube-state-metrics is collected: Knative
// names them after their Revision. Those of a version whose name begins with this one's and a
// hyphen are among them, as of nodes that this one does not have.
func pods(ref source.Ref) string {
	name := quote(regexp.QuoteMeta(ref.Name) + "-(.*)-[0-9]{5}-deployment-.*")
	return fmt.Sprintf(`sum by (node) (label_replace(kube_pod_status_ready{condition="true",namespace=%s,pod=~%s}, "node", "$1", "pod", %s))`,
		quote(ref.Namespace), name, name)
}

// quote is a string of PromQL, whose escapes are those of Go.
func quote(text string) string { return strconv.Quote(text) }
