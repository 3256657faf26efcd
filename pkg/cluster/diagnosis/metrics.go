package diagnosis

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"krt.dev/kn-krt/pkg/cluster/response"
	"krt.dev/kn-krt/pkg/render"
)

// operator is the API of the Prometheus operator.
var operator = schema.GroupVersion{Group: "monitoring.coreos.com", Version: "v1"}

// podMonitorName is the PodMonitor of config/monitoring, in the namespace of kn-krt.
const podMonitorName = "krt-entrypoints"

// page has the configuration of a collector.
const page = "docs/how-to/observability.md"

// metrics checks whether anything collects the metrics of entrypoints, as far as objects of
// the cluster show it.
func (c *Cluster) metrics(ctx context.Context) Finding {
	const subject = "metrics"
	monitor := &unstructured.Unstructured{}
	monitor.SetGroupVersionKind(operator.WithKind("PodMonitor"))
	err := c.Kube.Get(ctx, client.ObjectKey{Namespace: render.SystemNamespace, Name: podMonitorName}, monitor)
	switch {
	case response.UnknownKind(err):
		return c.withoutOperator(ctx, subject)
	case response.UnknownName(err):
		return Finding{
			Result: Info, Subject: subject, Fix: FixMonitors,
			Text: "the Prometheus operator is installed, but not the PodMonitor of config/monitoring: it does not scrape entrypoints",
		}
	case err != nil:
		return unknown(subject, err)
	}
	return c.selected(ctx, subject, monitor)
}

// selected checks whether a Prometheus of the operator selects the PodMonitor.
func (c *Cluster) selected(ctx context.Context, subject string, monitor *unstructured.Unstructured) Finding {
	var all unstructured.UnstructuredList
	all.SetGroupVersionKind(operator.WithKind("PrometheusList"))
	if err := c.Kube.List(ctx, &all); err != nil {
		return unknown(subject, fmt.Errorf("whether a Prometheus selects PodMonitor %s: %w", podMonitorName, err))
	}
	namespace := &metav1.PartialObjectMetadata{}
	namespace.SetGroupVersionKind(schema.GroupVersionKind{Version: "v1", Kind: "Namespace"})
	if err := c.Kube.Get(ctx, client.ObjectKey{Name: render.SystemNamespace}, namespace); err != nil {
		return unknown(subject, err)
	}
	f := Finding{Result: Info, Subject: subject}
	f.Text = "PodMonitor " + podMonitorName + " is applied, but there is no Prometheus of the operator"
	for i := range all.Items {
		name := all.Items[i].GetNamespace() + "/" + all.Items[i].GetName()
		missing, err := unselected(&all.Items[i], monitor, namespace)
		switch {
		case err != nil:
			return unknown(subject, fmt.Errorf("selectors of Prometheus %s: %w", name, err))
		case missing == nil:
			return good(subject, "Prometheus %s scrapes entrypoints, by PodMonitor %s", name, podMonitorName)
		}
		f.Text = fmt.Sprintf("Prometheus %s does not select PodMonitor %s: %s", name, podMonitorName, missing.text)
		f.Values, f.Fix = missing.labels, missing.fix()
	}
	return f
}

// withoutOperator is what can be known of a collector that follows annotations, or is
// configured by hand.
func (c *Cluster) withoutOperator(ctx context.Context, subject string) Finding {
	namespaces, err := c.collectors(ctx)
	switch {
	case err != nil:
		return unknown(subject, err)
	case len(namespaces) == 0:
		return Finding{
			Result: Info, Subject: subject,
			Text: "no Prometheus operator and no known collector was found: nothing scrapes entrypoints; see " + page,
		}
	}
	return unknown(subject, fmt.Errorf("a collector runs in namespace %s; it scrapes entrypoints if it is configured as in %s",
		strings.Join(namespaces, ", "), page))
}

// gap is why a Prometheus does not select a monitor.
type gap struct {
	text   string
	labels map[string]string // that the monitor lacks; nil if labels would not help
}

func (g *gap) fix() Fix {
	if g.labels == nil {
		return FixNone
	}
	return FixMonitorLabels
}

// unselected returns why a Prometheus does not select the monitor in its namespace; nil if it
// does. Without a selector it selects none, and without one of namespaces its own only
// (the operator's API reference, PrometheusSpec).
func unselected(prometheus, monitor *unstructured.Unstructured, namespace client.Object) (*gap, error) {
	inside, err := selector(prometheus, "podMonitorNamespaceSelector")
	if err != nil {
		return nil, err
	}
	monitors, err := selector(prometheus, "podMonitorSelector")
	if err != nil {
		return nil, err
	}
	switch {
	case monitors == nil:
		return &gap{text: "it has no podMonitorSelector"}, nil
	case inside == nil && prometheus.GetNamespace() != namespace.GetName():
		return &gap{text: "it has no podMonitorNamespaceSelector, so it selects in its own namespace only"}, nil
	case inside != nil:
		if wanted, err := metav1.LabelSelectorAsSelector(inside); err != nil || !wanted.Matches(labels.Set(namespace.GetLabels())) {
			return &gap{text: "its podMonitorNamespaceSelector does not match namespace " + namespace.GetName()}, err
		}
	}
	wanted, err := metav1.LabelSelectorAsSelector(monitors)
	if err != nil || wanted.Matches(labels.Set(monitor.GetLabels())) {
		return nil, err
	}
	g := &gap{text: "its podMonitorSelector is " + wanted.String()}
	if len(monitors.MatchExpressions) == 0 {
		g.labels = monitors.MatchLabels
	}
	return g, nil
}

// selector reads a label selector of a Prometheus; nil if it has none.
func selector(prometheus *unstructured.Unstructured, field string) (*metav1.LabelSelector, error) {
	value, found, err := unstructured.NestedMap(prometheus.Object, "spec", field)
	if err != nil || !found {
		return nil, err
	}
	s := &metav1.LabelSelector{}
	return s, runtime.DefaultUnstructuredConverter.FromUnstructured(value, s)
}

// collectors returns the namespaces in which there are pods of a collector that is known by
// the label app.kubernetes.io/name, sorted.
func (c *Cluster) collectors(ctx context.Context) ([]string, error) {
	var pods metav1.PartialObjectMetadataList
	pods.SetGroupVersionKind(schema.GroupVersionKind{Version: "v1", Kind: "PodList"})
	known, err := labels.Parse("app.kubernetes.io/name in (prometheus, prometheus-agent, opentelemetry-collector, vmagent, alloy)")
	if err != nil {
		return nil, err
	}
	if err := c.Kube.List(ctx, &pods, client.MatchingLabelsSelector{Selector: known}); err != nil {
		return nil, err
	}
	var namespaces []string
	for i := range pods.Items {
		namespaces = append(namespaces, pods.Items[i].Namespace)
	}
	slices.Sort(namespaces)
	return slices.Compact(namespaces), nil
}

// collector checks whether the collectors may reach the port of entrypoints that has metrics,
// where the network enforces policies.
func (c *Cluster) collector(ctx context.Context) Finding {
	const subject, key = "port 8081", "reply-namespaces"
	if c.SettingsErr != nil {
		return unknown(subject, errors.New("the settings cannot be read"))
	}
	if slices.Contains(c.Settings.ReplyNamespaces, "*") {
		return good(subject, "all namespaces may reach the metrics of entrypoints")
	}
	namespaces, err := c.collectors(ctx)
	if err != nil {
		return unknown(subject, err)
	}
	missing := slices.DeleteFunc(slices.Clone(namespaces), func(name string) bool {
		return name == c.Namespace || slices.Contains(c.Settings.ReplyNamespaces, name)
	})
	switch {
	case len(namespaces) == 0:
		return good(subject, "the setting %s (%s) has those that may reach the metrics of entrypoints; no known collector was found", key,
			strings.Join(c.Settings.ReplyNamespaces, ", "))
	case len(missing) == 0:
		return good(subject, "the collector in namespace %s may reach the metrics of entrypoints", strings.Join(namespaces, ", "))
	}
	return Finding{
		Result: Info, Subject: subject, Fix: FixSettings,
		Values: map[string]string{key: strings.Join(append(slices.Clone(c.Settings.ReplyNamespaces), missing...), ",")},
		Text: fmt.Sprintf("where the network enforces policies, the collector in namespace %s cannot reach the metrics of entrypoints: "+
			"setting %s does not have it", strings.Join(missing, ", "), key),
	}
}
