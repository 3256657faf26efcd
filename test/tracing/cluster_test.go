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

// A request through a Sequence is one trace, whether Knative records its own spans or not.
func TestASequenceOnACluster(t *testing.T) {
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
	n.In("create", "secret", "generic", estimator+"-config", "--from-literal=OUTPUT_PRICE_CURRENCY=EUR")
	n.Ko("apply", "--sbom=none", "--filename=functions/price-estimator/version.yaml", "--", "--namespace="+n.Name)
	n.Ready("version/" + estimator)
	v := localrun.At(t, n.Address(estimator, 9000), "")
	var method *localrun.Method
	n.Eventually(func() (err error) {
		method, err = v.Method(t.Context(), estimate)
		return err
	})

	// call is the trace of a request, once all have been there.
	call := func(t *testing.T, check func(Trace) error) (Trace, Span) {
		t.Helper()
		c := newCaller()
		_, err := method.Call(c.in(t.Context()), room("Queens"))
		require.NoError(t, err)
		trace := j.Trace(t, c.trace, func(trace Trace) error {
			if err := spans(2 + len(estimatorNodes))(trace); err != nil {
				return err
			}
			if orphans := trace.Orphans(c.span); len(orphans) > 0 {
				return fmt.Errorf("%d spans have no parent: %v", len(orphans), orphans)
			}
			return check(trace)
		})
		t.Logf("\n%s", trace)
		request, send := one(t, trace, estimate), one(t, trace, "send ny-room-price")
		require.Equal(t, c.span, request.Parent)
		require.Equal(t, request.ID, send.Parent)
		return trace, send
	}
	t.Run("without Knative's spans", func(t *testing.T) {
		trace, send := call(t, func(Trace) error { return nil })
		require.Len(t, trace, 2+len(estimatorNodes))
		for _, node := range estimatorNodes {
			process := one(t, trace, "process "+node)
			require.Equal(t, []string{send.ID, estimator + "-" + node}, []string{process.Parent, process.Service})
		}
	})
	t.Run("with Knative's spans", func(t *testing.T) {
		recordKnative(t, n, j)
		trace, send := call(t, func(trace Trace) error {
			if len(ofKnative(trace)) == 0 {
				return errors.New("there are no spans of Knative's")
			}
			return nil
		})
		others := ofKnative(trace)
		for _, node := range estimatorNodes {
			process := one(t, trace, "process "+node)
			require.True(t, trace.Below(send.ID, process.ID))
			at := slices.IndexFunc(others, func(s Span) bool { return s.ID == process.Parent })
			require.GreaterOrEqual(t, at, 0, "%s is not below a span of Knative's", node)
		}
	})
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

// ofKnative are the spans that are not kn-krt's.
func ofKnative(trace Trace) []Span {
	return slices.DeleteFunc(slices.Clone(trace), func(s Span) bool {
		return s.Name == estimate || strings.HasPrefix(s.Name, "process ") || s.Name == "send ny-room-price"
	})
}
