package conformance_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/test/conformance"
	"krt.dev/kn-krt/test/conformance/node"
	"krt.dev/kn-krt/test/namespace"
)

// onCluster are the deliveries that are tried on a cluster. Direct uses less of it, and is tried by
// `make e2e-long`.
func onCluster() []conformance.Delivery {
	if os.Getenv("KRT_E2E_LONG") != "" {
		return []conformance.Delivery{conformance.Direct}
	}
	return []conformance.Delivery{conformance.Sequence}
}

// TestOnCluster tries the cases on Knative, through real Sequences and Services.
func TestOnCluster(t *testing.T) {
	results := newTable()
	defer func() { t.Log("\n" + results.String()) }()
	for _, delivery := range onCluster() {
		for _, language := range []conformance.Language{conformance.Go, conformance.Python} {
			t.Run(string(delivery)+"/"+string(language), func(t *testing.T) { tryOnCluster(t, delivery, language, results) })
		}
	}
}

func tryOnCluster(t *testing.T, delivery conformance.Delivery, language conformance.Language, results *table) {
	n := namespace.New(t)
	n.Inside()
	if language == conformance.Python {
		n.Python()
	}
	n.Install()
	release := n.HoldSettings()
	t.Cleanup(release)
	for _, variant := range variants() {
		if variant != conformance.Unsteady {
			n.Apply(conformanceVersion(t, n, delivery, language, variant))
		}
	}
	for _, variant := range variants() {
		if variant != conformance.Unsteady {
			n.Ready("version/" + string(variant))
		}
	}
	release()
	for _, variant := range variants() {
		t.Run(string(variant), func(t *testing.T) {
			if variant != conformance.Unsteady {
				tryAll(t, startedOnCluster(t, n, delivery, language, variant), variant, results)
				return
			}
			// Another's version, whose reply port nobody has a connection to yet.
			target := startedOnCluster(t, n, delivery, language, conformance.Stopping)
			if ours() {
				target.breakReplies(t)
			}
			tryAll(t, target, variant, results)
		})
	}
}

// ours says whether this is the cluster of `make cluster`, whose node is the
// machine that this process runs on.
func ours() bool { return strings.HasPrefix(os.Getenv("KUBECONFIG"), "/run/kn-krt/") }

// breakReplies puts what breaks before the version's reply port, for those in
// pods: their packets to its Service come to this process, by a rule of the node.
func (c *clustered) breakReplies(t *testing.T) {
	t.Helper()
	node := c.n.Kubectl("get", "nodes", "-o", `jsonpath={.items[0].status.addresses[?(@.type=="InternalIP")].address}`)
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", net.JoinHostPort(node, "0"))
	require.NoError(t, err)
	unsteady(t, listener, "http://"+c.ips[0]+":8081")
	service := c.n.Get("service/"+c.Version()+"-reply", "{.spec.clusterIP}")
	rule := func(do string) []string {
		return []string{"-t", "nat", do, "PREROUTING", "-p", "tcp", "-d", service, "--dport", "80", "-j", "DNAT", "--to-destination",
			listener.Addr().String()}
	}
	c.n.Run("", "iptables", rule("-I")...)
	t.Cleanup(func() {
		out, err := exec.Command("iptables", rule("-D")...).CombinedOutput()
		require.NoError(t, err, "%s", out)
	})
}

// conformanceVersion is the variant as YAML.
func conformanceVersion(
	t *testing.T, n *namespace.Namespace, d conformance.Delivery, language conformance.Language, variant conformance.Variant,
) string {
	t.Helper()
	proto, err := node.Bundle.ReadFile("conformance.proto")
	require.NoError(t, err)
	v := v1alpha1.Version{ObjectMeta: metav1.ObjectMeta{Name: string(variant)}}
	v.APIVersion, v.Kind = v1alpha1.GroupVersion.String(), "Version"
	v.Spec.State, v.Spec.Description = v1alpha1.StateStarted, "Conformance."
	v.Spec.Entrypoint = v1alpha1.Entrypoint{
		Proto: "conformance.proto", Files: []v1alpha1.ProtoFile{{Path: "conformance.proto", Content: string(proto)}},
		Timeout: &metav1.Duration{Duration: requestTimeout}, Delivery: v1alpha1.Delivery(d),
	}
	switch variant {
	case conformance.Hasty:
		v.Spec.Entrypoint.Timeout.Duration = shortTimeout
	case conformance.Paired:
		v.Spec.Entrypoint.Replicas = new(int32(2))
	}
	count := 3
	if variant == conformance.Standard {
		count = 12
	}
	one := &v1alpha1.Scale{Min: new(int32(1)), Max: new(int32(1))} // a pod's records are its own
	goImage, image, src := n.Image("test/conformance/cmd/node"), "", ""
	if language == conformance.Python {
		image, src = n.Image("test/conformance/cmd/pynode"), "src/node/main.py"
	}
	v.Spec.Nodes = []v1alpha1.Node{{Name: "foreign", Image: goImage, Scale: one}}
	for _, name := range names(count) {
		if image == "" {
			image = goImage
		}
		n := v1alpha1.Node{Name: name, Image: image, Src: src, Scale: one}
		if language == conformance.Python && isHeld(name) {
			n.Workers = new(int32(manyWorkers))
		}
		v.Spec.Nodes = append(v.Spec.Nodes, n)
	}
	declared := func(name string) bool {
		return slices.ContainsFunc(v.Spec.Nodes, func(n v1alpha1.Node) bool { return n.Name == name })
	}
	for rpc, steps := range workflows() {
		if !slices.ContainsFunc(steps, func(name string) bool { return !declared(name) }) {
			v.Spec.Workflows = append(v.Spec.Workflows, v1alpha1.Workflow{Name: workflowName(rpc), Entrypoint: rpc, Sequential: steps})
		}
	}
	text, err := yaml.Marshal(v)
	require.NoError(t, err)
	return string(text)
}

// clustered is a version on a cluster.
type clustered struct {
	n        *namespace.Namespace
	variant  conformance.Variant
	delivery conformance.Delivery
	language conformance.Language
	pods     []string // of the entrypoint
	ips      []string // theirs
}

// startedOnCluster waits until the version is started.
func startedOnCluster(
	t *testing.T, n *namespace.Namespace, d conformance.Delivery, language conformance.Language, variant conformance.Variant,
) *clustered {
	t.Helper()
	n.Ready("version/" + string(variant))
	// A version is ready with the first of its entrypoints; the cases call each by its address.
	n.In("rollout", "status", "deployment/"+string(variant)+"-entrypoint", "--timeout", namespace.Patience.String())
	c := &clustered{n: n, variant: variant, delivery: d, language: language}
	pods := n.In("get", "pods", "-l", "version-name="+string(variant)+"-entrypoint", "-o",
		`go-template={{range .items}}{{if not .metadata.deletionTimestamp}}{{.metadata.name}} {{.status.podIP}}{{"\n"}}{{end}}{{end}}`)
	for line := range strings.Lines(pods) {
		name, ip, _ := strings.Cut(strings.TrimSpace(line), " ")
		c.pods, c.ips = append(c.pods, name), append(c.ips, ip)
	}
	require.NotEmpty(t, c.pods)
	return c
}

func (c *clustered) Namespace() string              { return c.n.Name }
func (c *clustered) Version() string                { return string(c.variant) }
func (c *clustered) Delivery() conformance.Delivery { return c.delivery }
func (c *clustered) Language() conformance.Language { return c.language }
func (c *clustered) OnCluster() bool                { return true }
func (c *clustered) Web() string                    { return "http://" + c.service("") }
func (c *clustered) Node(name string) string        { return "http://" + c.service("-"+name) }

func (c *clustered) service(suffix string) string {
	return fmt.Sprintf("%s%s.%s.svc.cluster.local", c.variant, suffix, c.n.Name)
}

// GRPC is a pod's own address where the case is about that pod.
func (c *clustered) GRPC() string {
	if c.variant == conformance.Paired || c.variant == conformance.Stopping {
		return c.Replicas()[0]
	}
	return c.service("") + ":9000"
}

func (c *clustered) Replicas() []string {
	var all []string
	for _, ip := range c.ips {
		all = append(all, ip+":9000")
	}
	return all
}

func (c *clustered) Reply() string {
	if c.variant == conformance.Paired {
		return "http://" + c.ips[len(c.ips)-1] + ":8081"
	}
	return "http://" + c.service("-reply")
}

// Stop deletes the entrypoint's pod.
func (c *clustered) Stop() <-chan error {
	stopped := make(chan error, 1)
	go func() {
		_, err := c.n.Try("", "kubectl", "delete", "pod", "-n", c.n.Name, c.pods[0], "--timeout", namespace.Patience.String())
		stopped <- err
		close(stopped)
	}()
	return stopped
}

func (c *clustered) Metrics() (string, error) {
	client := http.Client{Timeout: 10 * time.Second}
	var all strings.Builder
	for _, ip := range c.ips {
		res, err := client.Get("http://" + ip + ":8081/metrics")
		if err != nil {
			return "", err
		}
		text, err := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if err != nil {
			return "", err
		}
		all.Write(text)
	}
	return all.String(), nil
}
