package diagnosis

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"krt.dev/kn-krt/pkg/cluster/response"
	"krt.dev/kn-krt/pkg/render"
)

// observability is Knative's ConfigMap with the settings of traces, in each of its halves.
const observability = "config-observability"

// rateOfParents is a sampling rate of Knative's by which it records a span of whatever belongs
// to a trace that is recorded, and next to nothing else: 0 and 1 ignore the trace
// (knative.dev/pkg/observability/tracing).
const rateOfParents = "0.001"

// traces checks whether entrypoints record traces.
func (c *Cluster) traces(context.Context) Finding {
	const subject, key = "traces", "otlp-endpoint"
	switch s := &c.Settings; {
	case c.SettingsErr != nil:
		return unknown(subject, errors.New("the settings cannot be read"))
	case s.OTLPEndpoint == "":
		return Finding{
			Result: Info, Subject: subject, Fix: FixSettings, Values: map[string]string{key: "http://COLLECTOR:4318"},
			Text: "requests are not traced: setting " + key + " is not set",
		}
	default:
		return good(subject, "traces of %s %% of requests, unless their client decides, are sent to %s",
			strconv.FormatFloat(s.TraceSampling*100, 'g', 3, 64), s.OTLPEndpoint)
	}
}

func (c *Cluster) servingTraces(ctx context.Context) Finding {
	return c.knativeTraces(ctx, "Serving traces", render.FeaturesNamespace)
}

func (c *Cluster) eventingTraces(ctx context.Context) Finding {
	return c.knativeTraces(ctx, "Eventing traces", eventingNamespace)
}

// knativeTraces checks whether a half of Knative adds its spans to the traces of requests.
func (c *Cluster) knativeTraces(ctx context.Context, subject, namespace string) Finding {
	config := &corev1.ConfigMap{}
	err := c.Kube.Get(ctx, client.ObjectKey{Namespace: namespace, Name: observability}, config)
	if err != nil && !response.UnknownName(err) {
		return unknown(subject, err)
	}
	f := Finding{Result: Info, Subject: subject, Fix: FixObservability, Namespace: namespace, Values: c.knativeValues()}
	rate, _ := strconv.ParseFloat(config.Data["tracing-sampling-rate"], 64)
	switch protocol := cmp.Or(config.Data["tracing-protocol"], "none"); {
	case protocol == "none":
		f.Text = "Knative's spans are not recorded: tracing-protocol of " + observability + " is none"
	case protocol != "stdout" && rate <= 0:
		f.Text = "Knative's spans are not recorded: tracing-sampling-rate of " + observability + " is 0"
	default:
		return good(subject, "Knative's spans are sent to %s", cmp.Or(config.Data["tracing-endpoint"], protocol))
	}
	return f
}

// knativeValues are settings by which Knative sends its spans where entrypoints send theirs.
func (c *Cluster) knativeValues() map[string]string {
	endpoint := c.Settings.OTLPEndpoint
	if c.Settings.OTLPProtocol != "grpc" { // Knative's is the address of traces alone
		endpoint = fmt.Sprintf("%s/v1/traces", strings.TrimSuffix(endpoint, "/"))
	}
	return map[string]string{
		"tracing-protocol": c.Settings.OTLPProtocol, "tracing-endpoint": endpoint, "tracing-sampling-rate": rateOfParents,
	}
}
