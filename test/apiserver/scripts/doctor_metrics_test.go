package scripts

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"krt.dev/kn-krt/pkg/cli"
	"krt.dev/kn-krt/pkg/cli/term"
	"krt.dev/kn-krt/test/apiserver"
)

// clinic is a cluster on which doctor is run.
type clinic struct {
	t      *testing.T
	client client.Client
	server *apiserver.Server
}

func newClinic(t *testing.T, crds ...string) clinic {
	t.Helper()
	server := apiserver.For(t, append(crds, apiserver.OurCRDs)...)
	c, err := server.NewClient()
	require.NoError(t, err)
	n := clinic{t, c, server}
	n.create(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "krt-system", Labels: map[string]string{"team": "krt"}}})
	n.create(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "monitoring"}})
	return n
}

func (n clinic) create(object client.Object) {
	n.t.Helper()
	require.NoError(n.t, n.client.Create(n.t.Context(), object))
}

// prometheus replaces the operator's Prometheus.
func (n clinic) prometheus(spec string) {
	n.t.Helper()
	o := &unstructured.Unstructured{}
	text := "{apiVersion: monitoring.coreos.com/v1, kind: Prometheus, metadata: {name: k8s, namespace: monitoring}, spec: " + spec + "}"
	require.NoError(n.t, yaml.Unmarshal([]byte(text), o))
	require.NoError(n.t, client.IgnoreNotFound(n.client.Delete(n.t.Context(), o.DeepCopy())))
	n.create(o)
}

// finds runs doctor, which prints a row that begins like this, with the command below it, if
// there is any.
func (n clinic) finds(row, command string, flags ...string) {
	n.t.Helper()
	var out strings.Builder
	words := append([]string{"kn-krt", "--kubeconfig", n.server.Kubeconfig, "doctor"}, flags...)
	cli.Main(n.t.Context(), words, term.Streams{Out: &out, Err: &out})
	mark, rest := row[:2], row[3:]
	about, text, _ := strings.Cut(rest, ": ")
	lines := strings.Split(out.String(), "\n")
	for i, line := range lines {
		if found, ok := strings.CutPrefix(line, mark+" "+about+" "); ok {
			require.Contains(n.t, strings.TrimSpace(found), text)
			next := strings.TrimSpace(lines[i+1])
			if strings.HasPrefix(lines[i+1], "    ") {
				require.Equal(n.t, command, next)
			} else {
				require.Empty(n.t, command, "there is no command")
			}
			return
		}
	}
	require.Failf(n.t, "no such row", "%s\n%s", row, &out)
}

// What collects metrics without the operator is known by the label of its pods.
func TestDoctorLooksForACollector(t *testing.T) {
	n := newClinic(t)
	n.finds(" I metrics: no Prometheus operator and no known collector was found: nothing scrapes entrypoints", "")
	n.finds("++ port 8081: the setting reply-namespaces (knative-eventing) has those that may reach the metrics of entrypoints; no known", "")
	n.create(&corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Name: "prometheus-server", Namespace: "monitoring", Labels: map[string]string{"app.kubernetes.io/name": "prometheus"},
		},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "prometheus", Image: "prometheus"}}},
	})
	n.finds("?? metrics: cannot be checked: a collector runs in namespace monitoring; it scrapes entrypoints if it is configured as in", "")
	n.finds(" I port 8081: where the network enforces policies, the collector in namespace monitoring cannot reach the metrics of entrypoints",
		`kubectl patch configmap config-krt -n krt-system --type merge -p '{"data":{"reply-namespaces":"knative-eventing,monitoring"}}'`)
	n.finds("++ port 8081: the collector in namespace monitoring may reach the metrics of entrypoints", "", "-n", "monitoring")
	settings := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "config-krt", Namespace: "krt-system"}}
	for value, row := range map[string]string{
		"knative-eventing,monitoring": "++ port 8081: the collector in namespace monitoring may reach the metrics of entrypoints",
		"*":                           "++ port 8081: all namespaces may reach the metrics of entrypoints",
		"?":                           "?? port 8081: cannot be checked: the settings cannot be read",
	} {
		settings.Data, settings.ResourceVersion = map[string]string{"reply-namespaces": value}, ""
		n.create(settings)
		n.finds(row, "")
		require.NoError(t, n.client.Delete(t.Context(), settings))
	}
	n.finds("?? metrics: cannot be checked: podmonitors.monitoring.coreos.com \"krt-entrypoints\" is forbidden", "", "--as", "nobody")
	n.finds("?? port 8081: cannot be checked: the settings cannot be read", "", "--as", "nobody")
}

// Of the operator, doctor knows whether one of its Prometheuses scrapes entrypoints.
func TestDoctorKnowsThePrometheusOperator(t *testing.T) {
	n := newClinic(t, "operator.yaml")
	n.finds(" I metrics: the Prometheus operator is installed, but not the PodMonitor of config/monitoring",
		"kubectl apply -f config/monitoring/")
	text, err := os.ReadFile("../../../config/monitoring/pod-monitor.yaml")
	require.NoError(t, err)
	monitor := &unstructured.Unstructured{}
	require.NoError(t, yaml.Unmarshal(text, monitor))
	n.create(monitor)
	n.finds(" I metrics: PodMonitor krt-entrypoints is applied, but there is no Prometheus of the operator", "")
	const label = "kubectl label -n krt-system podmonitor,servicemonitor,prometheusrule -l app.kubernetes.io/part-of=kn-krt "
	for _, test := range []struct{ spec, row, command string }{
		{`{}`, " I metrics: Prometheus monitoring/k8s does not select PodMonitor krt-entrypoints: it has no podMonitorSelector", ""},
		{`{podMonitorSelector: {}}`, " I metrics: it has no podMonitorNamespaceSelector, so it selects in its own namespace only", ""},
		{`{podMonitorSelector: {}, podMonitorNamespaceSelector: {matchLabels: {team: other}}}`,
			" I metrics: its podMonitorNamespaceSelector does not match namespace krt-system", ""},
		{`{podMonitorSelector: {matchLabels: {release: stack}}, podMonitorNamespaceSelector: {matchLabels: {team: krt}}}`,
			" I metrics: its podMonitorSelector is release=stack", label + `'release=stack'`},
		{`{podMonitorSelector: {matchExpressions: [{key: release, operator: Exists}]}, podMonitorNamespaceSelector: {}}`,
			" I metrics: its podMonitorSelector is release", ""},
		{`{podMonitorSelector: {matchLabels: {release: "'; rm x"}}, podMonitorNamespaceSelector: {}}`, "?? metrics: cannot be checked", ""},
		{`{podMonitorSelector: 5, podMonitorNamespaceSelector: {}}`, "?? metrics: cannot be checked", ""},
		{`{podMonitorSelector: {}, podMonitorNamespaceSelector: {}}`, "++ metrics: Prometheus monitoring/k8s scrapes entrypoints", ""},
		{`{podMonitorSelector: {matchLabels: {app.kubernetes.io/part-of: kn-krt}}, podMonitorNamespaceSelector: {}}`,
			"++ metrics: Prometheus monitoring/k8s scrapes entrypoints, by PodMonitor krt-entrypoints", ""},
	} {
		n.prometheus(test.spec)
		n.finds(test.row, test.command)
	}
}
