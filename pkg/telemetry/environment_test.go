package telemetry

import (
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/runner/event"
)

// environment clears the variables that are read here, and sets those in pairs.
func environment(t *testing.T, pairs ...string) {
	t.Helper()
	for _, name := range []string{EnvDisabled, EnvExporter, EnvSampler, EnvSamplerArg, EnvEndpoint, EnvTracesEndpoint,
		EnvProtocol, EnvTracesProtocol, EnvServiceName, EnvAttributes} {
		t.Setenv(name, "")
	}
	for i := 0; i < len(pairs); i += 2 {
		t.Setenv(pairs[i], pairs[i+1])
	}
}

func fromEnvironment(t *testing.T) *Recorder {
	t.Helper()
	about := Process{Namespace: "ns", Name: "given", Attributes: []Attribute{{"team", "given"}}}
	r, err := FromEnvironment(about, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	if r != nil {
		t.Cleanup(func() { r.Close(time.Minute) })
	}
	return r
}

func TestTracesAreOffUnlessThereIsACollector(t *testing.T) {
	const collector = "http://127.0.0.1:1"
	for name, pairs := range map[string][]string{
		"nothing":   {},
		"a sampler": {EnvSampler, "always_on"},
		"disabled":  {EnvEndpoint, collector, EnvDisabled, "TRUE"},
		"none":      {EnvEndpoint, collector, EnvExporter, "none"},
	} {
		t.Run(name, func(t *testing.T) {
			environment(t, pairs...)
			require.Nil(t, fromEnvironment(t))
		})
	}
}

func TestTheEnvironmentSwitchesTracesOn(t *testing.T) {
	for name, c := range map[string]struct {
		pairs   []string
		sampled bool // of requests whose client does not decide
	}{
		"an endpoint":    {[]string{EnvEndpoint, "http://127.0.0.1:1"}, true},
		"one for traces": {[]string{EnvTracesEndpoint, "https://collector/v1/traces", EnvEndpoint, "junk", EnvExporter, "otlp"}, true},
		"by gRPC, a share of 0": {[]string{EnvEndpoint, "http://127.0.0.1:1", EnvProtocol, "grpc",
			EnvSampler, "parentbased_traceidratio", EnvSamplerArg, "0"}, false},
		"a protocol for traces":   {[]string{EnvEndpoint, "http://127.0.0.1:1", EnvProtocol, "http/json", EnvTracesProtocol, "grpc"}, true},
		"not disabled":            {[]string{EnvEndpoint, "http://127.0.0.1:1", EnvDisabled, "1"}, true},
		"sampling is always off":  {[]string{EnvEndpoint, "http://127.0.0.1:1", EnvSampler, "always_off"}, false},
		"a share that is ignored": {[]string{EnvEndpoint, "http://127.0.0.1:1", EnvSamplerArg, "0"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			environment(t, c.pairs...)
			r := fromEnvironment(t)
			require.NotNil(t, r)
			trace, _ := r.Start(event.Trace{})
			require.Equal(t, c.sampled, trace.Sampled())
		})
	}
}

func TestTheEnvironmentNamesTheService(t *testing.T) {
	environment(t, EnvEndpoint, "http://127.0.0.1:1", EnvServiceName, "mine", EnvAttributes, "team=ml")
	about := fromEnvironment(t).o.Process
	require.Equal(t, "mine", about.Name)
	attributes := about.resource(service{version: "v1"}).Attributes
	require.Equal(t, []string{"mine", "ns", "ml"},
		[]string{valueOf(attributes, "service.name"), valueOf(attributes, "service.namespace"), valueOf(attributes, "team")})
	environment(t, EnvEndpoint, "http://127.0.0.1:1")
	require.Equal(t, "given", fromEnvironment(t).o.Process.Name)
}

func TestAVariableThatCannotBeUsed(t *testing.T) {
	const collector = "http://127.0.0.1:1"
	for want, pairs := range map[string][]string{
		`OTEL_EXPORTER_OTLP_ENDPOINT: it is not a URL such as "http://collector:4318"`:        {EnvEndpoint, "collector:4317"},
		`OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: it is not a URL such as "http://collector:4318"`: {EnvTracesEndpoint, "ftp://x"},
		`OTEL_EXPORTER_OTLP_ENDPOINT: a URL with a user is not supported: use OTEL_EXPORTER_OTLP_HEADERS`: {
			EnvEndpoint, "http://user:secret@collector"},
		`OTEL_TRACES_EXPORTER: "zipkin" is neither otlp nor none`:                    {EnvEndpoint, collector, EnvExporter, "zipkin"},
		`OTEL_EXPORTER_OTLP_PROTOCOL: "http/json" is neither grpc nor http/protobuf`: {EnvEndpoint, collector, EnvProtocol, "http/json"},
		`OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: "http" is neither grpc nor http/protobuf`: {
			EnvEndpoint, collector, EnvProtocol, "grpc", EnvTracesProtocol, "http"},
		`OTEL_RESOURCE_ATTRIBUTES: "x" is not of the form key=value`: {EnvEndpoint, collector, EnvAttributes, "x"},
		`OTEL_TRACES_SAMPLER and OTEL_TRACES_SAMPLER_ARG: "2" is not a number from 0 to 1`: {
			EnvEndpoint, collector, EnvSampler, "traceidratio", EnvSamplerArg, "2"},
	} {
		t.Run(want, func(t *testing.T) {
			environment(t, pairs...)
			r, err := FromEnvironment(Process{}, slog.New(slog.DiscardHandler))
			require.EqualError(t, err, want)
			require.Nil(t, r)
		})
	}
}
