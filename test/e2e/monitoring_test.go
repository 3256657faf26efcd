package e2e_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/runner/store"
	"krt.dev/kn-krt/test/monitoring/collector"
)

// The versions of the test: all that can be asked is seen of one of them.
const (
	direct  = "direct"
	durable = "durable" // by Sequence, with two replicas
)

// After load of each kind, a real Prometheus that is configured as the page says has a value
// for every query of the page and of the dashboards, and for each rule.
func TestPrometheusHasAValueForEveryQuery(t *testing.T) {
	t.Parallel()
	n := newRuntime(t)
	n.Inside()
	n.storeReady()
	n.InstallQueue()
	collector.Program(t, "prometheus")
	n.version(direct, n.monitored(v1alpha1.DeliveryDirect, 1))
	n.version(durable, n.monitored(v1alpha1.DeliverySequence, 2))
	const queued = "queued"
	n.version(queued, n.monitored(v1alpha1.DeliveryDurable, 1))
	n.Ready("version/" + direct)
	n.Ready("version/" + durable)
	n.Ready("version/" + queued)
	n.publish(direct)
	n.published(direct)

	credential := n.credential(direct, "node")
	file := filepath.Join(t.TempDir(), "pods.json")
	n.discover(file)
	scrape := collector.ScrapeConfigs(t, "file_sd_configs: [{files: ["+file+"]}]")
	const controller = "krt-controller.krt-system"
	require.Contains(t, scrape, controller)
	scrape = strings.Replace(scrape, controller, controller+".svc.cluster.local", 1) // a pod's search path adds it
	p := collector.Start(t, time.Second, scrape)
	queries := collector.Queries(t, fmt.Sprintf(`namespace=%q,version=~"%s|%s|%s"`, n.Name, direct, durable, queued))
	begin := time.Now()
	n.Eventually(func() error {
		for _, version := range []string{direct, durable} {
			if err := n.load(version); err != nil {
				return err
			}
		}
		if err := n.strayReply(n.discover(file)); err != nil {
			return err
		}
		status, text := n.ask(http.MethodPost, store.PathPredictions, credential, `{"predicted_value": "a", "true_value": "b"}`)
		if status != http.StatusCreated {
			return fmt.Errorf("a prediction: HTTP %d: %s", status, text)
		}
		return p.Empty(queries)
	})
	t.Logf("%d queries have a value after %.1f s", len(queries), time.Since(begin).Seconds())
	for _, up := range []struct{ query, count string }{
		{fmt.Sprintf(`count(up{job="krt-entrypoints",namespace=%q} == 1)`, n.Name), "4"}, // no other pods are scraped
		{`count(up{job="krt-entrypoints"})`, "4"},
		{`count(up{job="krt-store"} == 1)`, "1"},
	} {
		n.Eventually(func() error { // one that is busy may miss a scrape
			n.discover(file)
			values, err := p.Values(up.query)
			if err == nil && !slices.Equal(values, []string{up.count}) {
				err = fmt.Errorf("%s: %s", up.query, values)
			}
			return err
		})
	}
}

// monitored makes a version one of two nodes: n1 does what a request says, and foreign, which
// is not a runner, refuses events.
func (n place) monitored(delivery v1alpha1.Delivery, replicas int32) func(*v1alpha1.Version) {
	return func(v *v1alpha1.Version) {
		v.Spec.Entrypoint.Delivery, v.Spec.Entrypoint.Replicas = delivery, new(replicas)
		image, one := n.Image("test/conformance/cmd/node"), &v1alpha1.Scale{Min: new(int32(1)), Max: new(int32(1))}
		// n1 may scale to zero, so that it is woken, and does not while the test runs.
		waking := &v1alpha1.Scale{Max: new(int32(1)), Keep: &metav1.Duration{Duration: time.Hour}}
		v.Spec.Nodes = []v1alpha1.Node{{Name: "n1", Image: image, Scale: waking}, {Name: "foreign", Image: image, Scale: one}}
		v.Spec.Workflows = []v1alpha1.Workflow{
			{Name: "one", Entrypoint: "One", Sequential: []string{"n1"}},
			{Name: "first", Entrypoint: "ForeignFirst", Sequential: []string{"foreign", "n1"}},
			{Name: "stream", Entrypoint: "StreamOne", Sequential: []string{"n1"}},
		}
	}
}

// load sends a version one request of each kind.
func (n place) load(version string) error {
	for _, r := range []struct {
		rpc, orders string
		status      int
	}{
		{"One", ``, http.StatusOK},
		{"One", `{"node": "n1", "act": "EARLY_REPLY", "text": "early"}`, http.StatusOK},
		{"One", `{"node": "n1", "act": "EXIT", "text": "bye"}`, http.StatusOK},
		{"One", `{"node": "n1", "act": "FAIL", "text": "the test wants it"}`, http.StatusInternalServerError},
		{"StreamOne", `{"node": "n1", "act": "SEND", "text": "word", "number": 2}`, http.StatusOK},
		{"ForeignFirst", `{"node": "foreign", "act": "STATUS", "number": 500, "text": "no"}`, http.StatusServiceUnavailable},
	} {
		url := fmt.Sprintf("http://%s.%s.svc.cluster.local/conformance.Entrypoint/%s", version, n.Name, r.rpc)
		if err := n.post(url, fmt.Sprintf(`{"last": "n1", "orders": [%s]}`, r.orders), r.status); err != nil {
			return err
		}
	}
	return nil
}

// discover writes the pods of the namespace and of the store where Prometheus finds them, and returns
// the former. A test beside this one may change settings while the versions start, so that their pods
// are replaced.
func (n place) discover(file string) []corev1.Pod {
	n.t.Helper()
	pods := n.pods()
	next := file + ".next"
	require.NoError(n.t, os.WriteFile(next, discovered(n.t, append(n.storePods(), pods...)), 0o600))
	require.NoError(n.t, os.Rename(next, file))
	return pods
}

// strayReply sends each entrypoint a reply that no request waits for.
func (n place) strayReply(pods []corev1.Pod) error {
	for i := range pods {
		if pods[i].Labels["type"] != "entrypoint" {
			continue
		}
		if err := n.post("http://"+pods[i].Status.PodIP+":8081/reply", "{}", 0); err != nil {
			return err
		}
	}
	return nil
}

// post posts JSON; a status of 0 is any.
func (n place) post(url, body string, want int) error {
	request, err := http.NewRequestWithContext(n.t.Context(), http.MethodPost, url, bytes.NewReader([]byte(body)))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	status, text, err := do(http.DefaultClient, request)
	if err == nil && want != 0 && status != want {
		err = fmt.Errorf("%s: %d %s", url, status, text)
	}
	return err
}

// storePods are those of the store.
func (n place) storePods() []corev1.Pod {
	n.t.Helper()
	var list corev1.PodList
	out := n.Kubectl("get", "pods", "-n", "krt-system", "-l", "app.kubernetes.io/name=krt-store", "-o", "json")
	require.NoError(n.t, json.Unmarshal([]byte(out), &list))
	return list.Items
}

// pods are all of the namespace but those that are being deleted.
func (n place) pods() []corev1.Pod {
	n.t.Helper()
	var list corev1.PodList
	require.NoError(n.t, json.Unmarshal([]byte(n.In("get", "pods", "-o", "json")), &list))
	return slices.DeleteFunc(list.Items, func(p corev1.Pod) bool { return p.DeletionTimestamp != nil })
}

// podNames are the names of those pods. Those that were replaced while a version started may still be ending.
func (n place) podNames() (names []string) {
	n.t.Helper()
	for _, p := range n.pods() {
		names = append(names, p.Name)
	}
	return names
}

// discovered is what Prometheus finds of pods in a cluster (kubernetes_sd_config, role pod),
// as far as the page's configuration uses it: one target for each port, as a file of targets.
func discovered(t *testing.T, pods []corev1.Pod) []byte {
	t.Helper()
	type group struct {
		Targets []string          `json:"targets"`
		Labels  map[string]string `json:"labels"`
	}
	var groups []group
	for i := range pods {
		pod := &pods[i]
		for _, c := range pod.Spec.Containers {
			for _, port := range c.Ports {
				g := group{[]string{fmt.Sprintf("%s:%d", pod.Status.PodIP, port.ContainerPort)}, map[string]string{
					"__meta_kubernetes_namespace": pod.Namespace, "__meta_kubernetes_pod_name": pod.Name,
					"__meta_kubernetes_pod_container_port_name": port.Name,
				}}
				for key, value := range pod.Labels {
					g.Labels["__meta_kubernetes_pod_label_"+strings.NewReplacer(".", "_", "/", "_", "-", "_").Replace(key)] = value
				}
				groups = append(groups, g)
			}
		}
	}
	text, err := json.Marshal(groups)
	require.NoError(t, err)
	return text
}
