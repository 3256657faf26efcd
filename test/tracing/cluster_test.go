package tracing

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/test/localrun"
	"krt.dev/kn-krt/test/namespace"
)

// knative are its ConfigMaps with the settings of traces, and the Deployments that carry
// requests and read them when they start. A node's pods get them by the environment.
var knative = map[string][]string{
	"knative-serving":  {"activator"},
	"knative-eventing": {"imc-dispatcher"},
}

// deployed is the example on a cluster, by one of the deliveries.
type deployed struct {
	version string
	method  *localrun.Method
	// sends are the names of the attempts' spans, by node.
	sends func(node string) string
}

// A request is one trace, by Direct and through a Sequence, whether Knative records its own
// spans or not.
func TestOnACluster(t *testing.T) {
	if os.Getenv("KRT_E2E_LONG") == "" {
		t.Skip("takes minutes: make e2e-long")
	}
	n := namespace.New(t)
	n.Inside()
	n.Python()
	j := Start(t, n.Kubectl("get", "nodes", "-o", `jsonpath={.items[0].status.addresses[?(@.type=="InternalIP")].address}`))
	n.Install()
	n.SetTogether("config-krt", "krt-system", map[string]string{
		"otlp-endpoint": j.HTTP, "otlp-protocol": "http/protobuf", "trace-sampling": "1",
	})
	all := []*deployed{
		{version: "by-sequence", sends: func(string) string { return "send ny-room-price" }},
		{version: "by-direct", sends: func(node string) string { return "send " + node }},
	}
	text := n.Ko("resolve", "--sbom=none", "--filename=functions/price-estimator/version.yaml")
	for _, d := range all {
		n.In("create", "secret", "generic", d.version+"-config", "--from-literal=OUTPUT_PRICE_CURRENCY=EUR")
		const head = "  entrypoint:\n"
		require.Contains(t, text, head)
		_, delivery, _ := strings.Cut(d.version, "by-")
		own := strings.Replace(text, head, head+"    delivery: "+strings.ToUpper(delivery[:1])+delivery[1:]+"\n", 1)
		n.Apply(strings.ReplaceAll(own, estimator, d.version))
	}
	for _, d := range all {
		n.Ready("version/" + d.version)
		v := localrun.At(t, n.Address(d.version, 9000), "")
		n.Eventually(func() (err error) {
			d.method, err = v.Method(t.Context(), estimate)
			return err
		})
	}
	for _, d := range all {
		t.Run(d.version+" without Knative's spans", func(t *testing.T) {
			trace := d.call(t, j, func(Trace) error { return nil })
			require.Empty(t, ofKnative(trace))
			for _, node := range estimatorNodes {
				require.Equal(t, one(t, trace, d.sends(node)).ID, one(t, trace, "process "+node).Parent)
			}
		})
	}
	recordKnative(t, n, j)
	for _, d := range all {
		t.Run(d.version+" with Knative's spans", func(t *testing.T) {
			trace := d.call(t, j, func(trace Trace) error {
				if len(ofKnative(trace)) == 0 {
					return errors.New("there are no spans of Knative's")
				}
				return nil
			})
			others := ofKnative(trace)
			for _, node := range estimatorNodes {
				process := one(t, trace, "process "+node)
				require.True(t, trace.Below(one(t, trace, d.sends(node)).ID, process.ID))
				at := slices.IndexFunc(others, func(s Span) bool { return s.ID == process.Parent })
				require.GreaterOrEqual(t, at, 0, "%s is not below a span of Knative's", node)
			}
		})
	}
}

// call returns the trace of a request once all of it is there: no parent is missing.
func (d *deployed) call(t *testing.T, j *Jaeger, check func(Trace) error) Trace {
	t.Helper()
	c := newCaller()
	_, err := d.method.Call(c.in(t.Context()), room("Queens"))
	require.NoError(t, err)
	trace := j.Trace(t, c.trace, func(trace Trace) error {
		for _, node := range estimatorNodes {
			if len(trace.Find("process "+node)) == 0 {
				return fmt.Errorf("the span of %s is missing", node)
			}
		}
		if orphans := trace.Orphans(c.span); len(orphans) > 0 {
			return fmt.Errorf("%d spans have no parent: %v", len(orphans), orphans)
		}
		return check(trace)
	})
	t.Logf("\n%s", trace)
	request := one(t, trace, estimate)
	require.Equal(t, c.span, request.Parent)
	for _, node := range estimatorNodes {
		require.Equal(t, request.ID, one(t, trace, d.sends(node)).Parent)
		require.Equal(t, d.version+"-"+node, one(t, trace, "process "+node).Service)
	}
	return trace
}

// recordKnative has Knative record its spans of the requests that are recorded (as a sampling
// rate between 0 and 1 does) until the test ends, and waits until all that carries requests
// knows.
func recordKnative(t *testing.T, n *namespace.Namespace, j *Jaeger) {
	t.Helper()
	for in, deployments := range knative {
		for _, name := range deployments { // last: after the settings are restored
			n.Afterwards("kubectl", "rollout", "restart", "deployment/"+name, "-n", in)
		}
		n.SetTogether("config-observability", in, map[string]string{
			"tracing-protocol": "http/protobuf", "tracing-endpoint": j.HTTP + "/v1/traces", "tracing-sampling-rate": "0.001",
		})
		for _, name := range deployments {
			n.Kubectl("rollout", "restart", "deployment/"+name, "-n", in)
			n.Kubectl("rollout", "status", "deployment/"+name, "-n", in, "--timeout", namespace.Patience.String())
		}
	}
	n.Eventually(func() error {
		const config = `{.spec.containers[?(@.name=="queue-proxy")].env[?(@.name=="OBSERVABILITY_CONFIG")].value}`
		pods := n.In("get", "pods", "-l", "serving.knative.dev/revision", "-o",
			`jsonpath={range .items[*]}{.metadata.name} `+config+`{"\n"}{end}`)
		for line := range strings.Lines(pods) {
			if !strings.Contains(line, j.HTTP) {
				return fmt.Errorf("a pod of before is there still: %s", line)
			}
		}
		return nil
	})
}

// ofKnative are the spans that are not kn-krt's: Knative's have other names.
func ofKnative(trace Trace) []Span {
	return slices.DeleteFunc(slices.Clone(trace), func(s Span) bool {
		return s.Name == estimate || strings.HasPrefix(s.Name, "process ") || s.Kind == "producer"
	})
}
