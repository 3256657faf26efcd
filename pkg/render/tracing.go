package render

import (
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// The protocols by which traces are sent, as OpenTelemetry calls them.
const (
	protocolHTTP = "http/protobuf"
	protocolGRPC = "grpc"
)

// tracing are the variables of OpenTelemetry by which an entrypoint records traces; none
// without a collector.
func (s Settings) tracing() []corev1.EnvVar {
	if s.OTLPEndpoint == "" {
		return nil
	}
	return []corev1.EnvVar{
		// Without this, Kubernetes would expand $(NAME) in it.
		{Name: "OTEL_EXPORTER_OTLP_ENDPOINT", Value: strings.ReplaceAll(s.OTLPEndpoint, "$", "$$")},
		{Name: "OTEL_EXPORTER_OTLP_PROTOCOL", Value: s.OTLPProtocol},
		{Name: "OTEL_TRACES_SAMPLER", Value: "parentbased_traceidratio"},
		{Name: "OTEL_TRACES_SAMPLER_ARG", Value: strconv.FormatFloat(s.TraceSampling, 'g', -1, 64)},
	}
}
