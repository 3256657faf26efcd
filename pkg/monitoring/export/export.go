// Package export makes files of the tables of package monitoring: objects of the Prometheus
// operator and dashboards. config/monitoring has them: go test ./test/monitoring -update.
package export

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"sigs.k8s.io/yaml"

	"krt.dev/kn-krt/pkg/monitoring"
)

// object is JSON or YAML.
type object = map[string]any

// Runbooks is the path of the page whose headings are the names of alerts.
const Runbooks = "docs/how-to/alerts.md"

// Files returns the files of config/monitoring by their names.
func Files() (map[string][]byte, error) {
	files := map[string][]byte{}
	for name, o := range map[string]object{
		"pod-monitor.yaml": podMonitor(), "service-monitor.yaml": serviceMonitor(), "store-monitor.yaml": storeMonitor(),
		"queue-monitor.yaml":     queueMonitor(),
		"rules.yaml":             prometheusRule(),
		"dashboards/perses.yaml": perses(),
	} {
		text, err := yaml.Marshal(o)
		if err != nil {
			return nil, fmt.Errorf("cannot write %s: %w", name, err)
		}
		const head = "# Made from the tables of pkg/monitoring: go test ./test/monitoring -update\n"
		files[name] = append([]byte(head), text...)
	}
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(grafana()); err != nil {
		return nil, fmt.Errorf("cannot write the dashboard of Grafana: %w", err)
	}
	files["dashboards/grafana.json"] = text.Bytes()
	return files, nil
}

// Rules is the content of a rule file of Prometheus.
func Rules() map[string]any {
	var recordings, alerts []any
	for _, r := range monitoring.Recordings() {
		recordings = append(recordings, object{"record": r.Name, "expr": r.Expr})
	}
	for _, a := range monitoring.Alerts() {
		alerts = append(alerts, object{
			"alert": a.Name, "expr": a.Expr, "for": a.For,
			"labels": object{"severity": a.Severity},
			"annotations": object{
				"summary": a.Summary, "description": a.Description, "runbook_url": Runbooks + "#" + strings.ToLower(a.Name),
			},
		})
	}
	return object{"groups": []any{
		object{"name": "krt.recordings", "rules": recordings},
		object{"name": "krt.alerts", "rules": alerts},
	}}
}

func operatorObject(kind, name string, spec object) object {
	return object{
		"apiVersion": "monitoring.coreos.com/v1", "kind": kind,
		"metadata": object{"name": name, "namespace": "krt-system", "labels": object{"app.kubernetes.io/part-of": "kn-krt"}},
		"spec":     spec,
	}
}

// podMonitor scrapes the entrypoints of all namespaces, with the version as a label.
func podMonitor() object {
	return operatorObject("PodMonitor", "krt-entrypoints", object{
		"namespaceSelector": object{"any": true},
		"selector":          object{"matchLabels": object{"type": "entrypoint", "app.kubernetes.io/managed-by": "kn-krt"}},
		"podMetricsEndpoints": []any{object{
			"port": "reply", "path": "/metrics",
			"relabelings": []any{object{"sourceLabels": []any{"__meta_kubernetes_pod_label_krt_dev_version"}, "targetLabel": "version"}},
		}},
	})
}

// serviceMonitor scrapes the controller, whose labels namespace and version are of versions.
func serviceMonitor() object {
	return operatorObject("ServiceMonitor", "krt-controller", object{
		"selector":  object{"matchLabels": object{"app.kubernetes.io/name": "krt-controller"}},
		"endpoints": []any{object{"port": "http-metrics", "path": "/metrics", "honorLabels": true}},
	})
}

// storeMonitor scrapes each pod of the store, whose metrics name namespaces of versions.
func storeMonitor() object {
	return operatorObject("ServiceMonitor", "krt-store", object{
		"selector":  object{"matchLabels": object{"app.kubernetes.io/name": "krt-store"}},
		"endpoints": []any{object{"port": "http-metrics", "path": "/metrics", "honorLabels": true}},
	})
}

// queueMonitor scrapes the queue of durable deliveries, whose metrics name namespaces of versions, too.
func queueMonitor() object {
	return operatorObject("ServiceMonitor", "krt-queue", object{
		"selector":  object{"matchLabels": object{"app.kubernetes.io/name": "krt-queue"}},
		"endpoints": []any{object{"port": "http-metrics", "path": "/metrics", "honorLabels": true}},
	})
}

func prometheusRule() object { return operatorObject("PrometheusRule", "krt", Rules()) }
