package telemetry

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"strings"
)

// The variables of OpenTelemetry that are read here. The exporters read more of those that
// begin with OTEL_EXPORTER_OTLP_: headers, certificates, compression and timeout; what they
// cannot use of these is refused here.
const (
	EnvDisabled       = "OTEL_SDK_DISABLED"
	EnvExporter       = "OTEL_TRACES_EXPORTER"
	EnvSampler        = "OTEL_TRACES_SAMPLER"
	EnvSamplerArg     = "OTEL_TRACES_SAMPLER_ARG"
	EnvEndpoint       = "OTEL_EXPORTER_OTLP_ENDPOINT"
	EnvTracesEndpoint = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
	EnvProtocol       = "OTEL_EXPORTER_OTLP_PROTOCOL"
	EnvTracesProtocol = "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"
	EnvServiceName    = "OTEL_SERVICE_NAME"
	EnvAttributes     = "OTEL_RESOURCE_ATTRIBUTES"
)

// FromEnvironment returns what records traces as the OTEL_* variables of this process
// define it; nil if they do not switch it on, which takes an endpoint. A variable that
// cannot be used is an error that names it. What goes wrong later is logged to log. Of p,
// the variables win over what is set already. The recorder must be closed.
func FromEnvironment(p Process, log *slog.Logger) (*Recorder, error) {
	exporter := os.Getenv(EnvExporter)
	endpoint, name := either(EnvTracesEndpoint, EnvEndpoint)
	if strings.EqualFold(os.Getenv(EnvDisabled), "true") || exporter == "none" || endpoint == "" {
		return nil, nil
	}
	if exporter != "" && exporter != "otlp" {
		return nil, fmt.Errorf("%s: %q is neither otlp nor none", EnvExporter, exporter)
	}
	if err := checkEndpoint(endpoint); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	sampler, err := ParseSampler(os.Getenv(EnvSampler), os.Getenv(EnvSamplerArg))
	if err != nil {
		return nil, fmt.Errorf("%s and %s: %w", EnvSampler, EnvSamplerArg, err)
	}
	p.Name = cmp.Or(os.Getenv(EnvServiceName), p.Name)
	attributes, err := parseAttributes(os.Getenv(EnvAttributes))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", EnvAttributes, err)
	}
	p.Attributes = append(p.Attributes, attributes...)
	protocol, name := either(EnvTracesProtocol, EnvProtocol)
	way, err := parseProtocol(protocol)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	settings, err := readExporter()
	if err != nil {
		return nil, err
	}
	return New(Options{Process: p, Sampler: sampler, Endpoint: endpoint, Client: newClient(way, settings), Logger: log})
}

// either returns the value of the variable for traces or, if it has none, of that for all
// signals, and the name of the one that it is.
func either(traces, all string) (value, name string) {
	if value = os.Getenv(traces); value != "" {
		return value, traces
	}
	return os.Getenv(all), all
}

// checkEndpoint checks the URL of a collector.
func checkEndpoint(endpoint string) error {
	u, err := url.Parse(endpoint)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		return errors.New(`it is not a URL such as "http://collector:4318"`) // not quoted: it may have a password
	case u.User != nil:
		return errors.New("a URL with a user is not supported: use OTEL_EXPORTER_OTLP_HEADERS")
	}
	return nil
}

// Protocol is how spans are sent.
type Protocol string

// The protocols.
const (
	GRPC Protocol = "grpc"
	HTTP Protocol = "http/protobuf" // OpenTelemetry's default, and ours
)

// parseProtocol reads a protocol; empty is HTTP.
func parseProtocol(text string) (Protocol, error) {
	switch p := cmp.Or(Protocol(text), HTTP); p {
	case GRPC, HTTP:
		return p, nil
	}
	return "", fmt.Errorf("%q is neither %s nor %s", text, GRPC, HTTP)
}
