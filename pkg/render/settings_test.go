package render_test

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"sigs.k8s.io/yaml"

	"krt.dev/kn-krt/pkg/entrypoint/measure"
	"krt.dev/kn-krt/pkg/render"
	"krt.dev/kn-krt/pkg/retention"
)

func TestNoSettingsAreTheDefaults(t *testing.T) {
	s, err := render.ParseSettings(map[string]string{"_example": "anything: at all"})
	require.NoError(t, err)
	require.Equal(t, render.DefaultSettings(), s)
}

// example is the example as somebody would put it into the ConfigMap.
func example(t *testing.T) map[string]string {
	t.Helper()
	var data map[string]string
	require.NoError(t, yaml.UnmarshalStrict([]byte(render.SettingsExample()), &data))
	return data
}

func TestExampleIsAccepted(t *testing.T) {
	s, err := render.ParseSettings(example(t))
	require.NoError(t, err)
	require.Equal(t, "registry.example.com/kn-krt/python:3.13", s.BaseImages["konstellation/kre-py"])
}

func TestExampleShowsTheDefaults(t *testing.T) {
	noDefault := []string{"base-images", "image-pull-secrets", "store-url", "store-ca",
		"queue-url", "queue-secret", "queue-ca", "ingress-domain", "ingress-class",
		"gateway", "ingress-web-domain", "ingress-web-annotations", "ingress-web-tls-secret",
		"ingress-tls-secret", "web-origins", "entrypoint-memory-budget", "otlp-endpoint", "prometheus-url"}
	data := example(t)
	for _, key := range slices.Sorted(maps.Keys(data)) {
		t.Run(key, func(t *testing.T) {
			s, err := render.ParseSettings(map[string]string{key: data[key]})
			require.NoError(t, err)
			if slices.Contains(noDefault, key) {
				require.NotEqual(t, render.DefaultSettings(), s)
				return
			}
			require.Equal(t, render.DefaultSettings(), s)
		})
	}
}

func TestSettings(t *testing.T) {
	for _, test := range []struct {
		key, text string
		got       func(render.Settings) any
		want      any
	}{
		{"timeout", "9m50s", func(s render.Settings) any { return s.Timeout }, 590 * time.Second},
		{"background-timeout", "2h", func(s render.Settings) any { return s.BackgroundTimeout }, 2 * time.Hour},
		{"revision-timeout", "1h", func(s render.Settings) any { return s.RevisionTimeout }, time.Hour},
		{"timeout", " 45s\n", func(s render.Settings) any { return s.Timeout }, 45 * time.Second},
		{"connection-age", "2s", func(s render.Settings) any { return s.ConnectionAge }, 2 * time.Second},
		{"max-message-bytes", "1048576", func(s render.Settings) any { return s.MaxMessageBytes }, 1 << 20},
		{"gpu-resource", "amd.com/gpu", func(s render.Settings) any { return s.GPUResource }, corev1.ResourceName("amd.com/gpu")},
		{"gpu-node-selector", "{}", func(s render.Settings) any { return len(s.GPUNodeSelector) }, 0},
		{"gpu-node-selector", "konstellation.io/gpu: true", func(s render.Settings) any { return s.GPUNodeSelector },
			map[string]string{"konstellation.io/gpu": "true"}},
		{"gpu-tolerations", "[]", func(s render.Settings) any { return len(s.GPUTolerations) }, 0},
		{"image-pull-secrets", "a, b,", func(s render.Settings) any { return s.ImagePullSecrets }, []string{"a", "b"}},
		{"reply-namespaces", "*", func(s render.Settings) any { return s.ReplyNamespaces }, []string{"*"}},
		{"reply-namespaces", "knative-eventing,monitoring", func(s render.Settings) any { return s.ReplyNamespaces },
			[]string{"knative-eventing", "monitoring"}},
		{"automatic-measurements", "each", func(s render.Settings) any { return s.Measurements }, measure.Each},
		{"store-url", "", func(s render.Settings) any { return s.Store() }, "http://krt-store.krt-system.svc.cluster.local"},
		{"store-url", "none", func(s render.Settings) any { return s.Store() }, ""},
		{"store-url", "https://store.example.com", func(s render.Settings) any { return s.Store() }, "https://store.example.com"},
		{"queue-url", "", func(s render.Settings) any { return s.Queue() }, "nats://krt-queue.krt-system.svc.cluster.local:4222"},
		{"queue-url", "tls://a:1,tls://b:1", func(s render.Settings) any { return s.Queue() }, "tls://a:1,tls://b:1"},
		{"queue-replicas", "3", func(s render.Settings) any { return s.QueueReplicas }, int32(3)},
		{"queue-max-bytes", "2Gi", func(s render.Settings) any { return s.QueueMaxBytes }, int64(2 << 30)},
		{"queue-max-bytes", "", func(s render.Settings) any { return s.QueueMaxBytes }, int64(256 << 20)},
		{"retention-predictions", "30d", func(s render.Settings) any { return s.Retention.Predictions }, 30 * retention.Day},
		{"otlp-endpoint", "https://collector/otlp", func(s render.Settings) any { return s.OTLPEndpoint }, "https://collector/otlp"},
		{"otlp-endpoint", "", func(s render.Settings) any { return s.OTLPEndpoint }, ""},
		{"otlp-protocol", "grpc", func(s render.Settings) any { return s.OTLPProtocol }, "grpc"},
		{"trace-sampling", "1", func(s render.Settings) any { return s.TraceSampling }, 1.0},
		{"entrypoint-resources", "limits: {cpu: 1.5}", func(s render.Settings) any { return s.EntrypointResources },
			corev1.ResourceRequirements{Limits: corev1.ResourceList{"cpu": resource.MustParse("1.5")}}},
		{"entrypoint-resources", "{}", func(s render.Settings) any { return s.EntrypointResources }, corev1.ResourceRequirements{}},
		{"entrypoint-memory-budget", "", func(s render.Settings) any { return s.Budget() }, int64(256 << 20)},
		{"entrypoint-memory-budget", "1Gi", func(s render.Settings) any { return s.Budget() }, int64(1 << 30)},
		{"max-message-bytes", "67108864", func(s render.Settings) any { return s.Budget() }, int64(8 * 67108864)},
		{"web-origins", "https://a.example.com, http://localhost:3000", func(s render.Settings) any { return s.WebOrigins },
			[]string{"https://a.example.com", "http://localhost:3000"}},
		{"web-origins", "*", func(s render.Settings) any { return s.WebOrigins }, []string{"*"}},
		{"channel-template", "{apiVersion: messaging.knative.dev/v1beta1, kind: KafkaChannel, spec: {numPartitions: 3}}",
			func(s render.Settings) any { return string(s.ChannelTemplate.Spec.Raw) }, `{"numPartitions":3}`},
	} {
		t.Run(test.key+" "+test.text, func(t *testing.T) {
			s, err := render.ParseSettings(map[string]string{test.key: test.text})
			require.NoError(t, err)
			require.Equal(t, test.want, test.got(s))
		})
	}
}

func TestWrongSettings(t *testing.T) {
	for _, test := range []struct{ key, text, want string }{
		{"tiemout", "30s", `"tiemout" is not a setting; did you mean "timeout"?`},
		{"timeout", "30", `timeout: "30" is not a duration from 1s to 9m50s, such as "30s" or "2m"`},
		{"timeout", "591s", `timeout: "591s" is not a duration`},
		{"timeout", "-1s", `timeout: "-1s" is not a duration`},
		{"max-message-bytes", "4Mi", `max-message-bytes: "4Mi" is not a whole number from 1 to 1073741824`},
		{"scale-min", "-1", `scale-min: "-1" is not a whole number from 0 to 1000`},
		{"scale-min", "99999999999", `is not a whole number`},
		{"python-workers", "0", `python-workers: "0" is not a whole number from 1 to 256`},
		{"python-queue", "0", `python-queue: "0" is not a whole number from 1 to 100000`},
		{"entrypoint-replicas", "0", `is not a whole number from 1 to 100`},
		{"gpu-resource", "gpu", `gpu-resource: "gpu" is not a resource such as "nvidia.com/gpu"`},
		{"gpu-node-selector", "- a", `gpu-node-selector: is not a map of labels in YAML: `},
		{"gpu-node-selector", "a b: c", `gpu-node-selector: "a b" is not a valid name of a label`},
		{"gpu-node-selector", "a: b c", `gpu-node-selector: a: "b c" is not a valid value of a label`},
		{"gpu-tolerations", "- {key: a, operator: Exist}", `toleration 1: operator "Exist" is neither Exists nor Equal`},
		{"gpu-tolerations", "- {key: a, operator: Exists, value: b}", `toleration 1: with operator Exists, a value is not allowed`},
		{"gpu-tolerations", "- {value: b}", `toleration 1: without a key, the operator must be Exists`},
		{"gpu-tolerations", "- {key: a}\n- {key: a, effect: Never}", `toleration 2: effect "Never" is not one of`},
		{"gpu-tolerations", "- {kee: a}", `gpu-tolerations: is not a list of tolerations in YAML: `},
		{"channel-template", "{apiVersion: messaging.knative.dev/v1, kind: Channel, annotations: {a: b}}",
			`a Channel does not pass annotations on`},
		{"channel-template", "{apiVersion: messaging.knative.dev/v1, kind: X, annotations: {'a b': c}}",
			`"a b" is not a valid name of an annotation`},
		{"channel-template", "kind: InMemoryChannel", `channel-template: apiVersion "" is not that of a channel`},
		{"channel-template", "apiVersion: v1\nkind: Channel", `apiVersion "v1" is not that of a channel`},
		{"channel-template", "apiVersion: messaging.knative.dev/v1", `channel-template: kind is missing`},
		{"channel-template", "apiVersion: a: b", `channel-template: is not a channel template (apiVersion, kind, annotations, spec) in YAML`},
		{"base-images", "python: 'not an image'", `base-images: "python": "not an image" is not an image reference`},
		{"image-pull-secrets", "a b", `image-pull-secrets: "a b" is not a valid name of an object`},
		{"reply-namespaces", "*, a", `reply-namespaces: "*" is not a valid name of an object`},
		{"automatic-measurements", "on", `automatic-measurements: "on" is not one of off, aggregated, each`},
		{"store-url", "localhost:9000", `store-url: "localhost:9000" is not "none" or a URL such as "http://host:port", without a user`},
		{"queue-url", "http://a:4222", `queue-url: "http://a:4222" is not a URL such as "nats://host:4222", without a user`},
		{"queue-url", "nats://user:secret@a:4222", `is not a URL such as "nats://host:4222", without a user`},
		{"queue-url", "nats://a:4222,", `is not a URL`},
		{"queue-replicas", "2", `queue-replicas: "2" is not 1, 3 or 5`},
		{"queue-max-bytes", "1k", `queue-max-bytes: "1k" is not a size from 1Mi to 1Ti`},
		{"queue-secret", "A b", `queue-secret: "A b" is not a valid name of an object`},
		{"prometheus-url", "file:///etc", `prometheus-url: "file:///etc" is not a URL such as "http://prometheus:9090", without a user`},
		{"otlp-endpoint", "collector:4317", `otlp-endpoint: "collector:4317" is not a URL such as "http://collector:4318", without a user`},
		{"otlp-endpoint", "http://user:secret@collector", `is not a URL such as`},
		{"otlp-protocol", "http/json", `otlp-protocol: "http/json" is not one of http/protobuf, grpc`},
		{"trace-sampling", "10%", `trace-sampling: "10%" is not a number from 0 to 1`},
		{"trace-sampling", "NaN", `trace-sampling: "NaN" is not a number from 0 to 1`},
		{"trace-sampling", "1.1", `trace-sampling: "1.1" is not a number from 0 to 1`},
		{"cluster-domain", "", `cluster-domain: "" is not a domain`},
		{"ingress-domain", "https://krt.example.com", `ingress-domain: "https://krt.example.com" is not a domain such as "example.com"`},
		{"ingress-web-domain", "api..example.com", `ingress-web-domain: "api..example.com" is not a domain such as "example.com"`},
		{"gateway", "public", `gateway: "public" is not a Gateway such as "gateways/public"`},
		{"gateway", "a/b/c/d", `gateway: "a/b/c/d" is not a Gateway`},
		{"gateway", "a//c", `gateway: "a//c" is not a Gateway`},
		{"ingress-class", "Nginx!", `ingress-class: "Nginx!" is not a valid name of an object`},
		{"ingress-annotations", "a b: c", `ingress-annotations: "a b" is not a valid name of an annotation`},
		{"entrypoint-resources", "requests: {cpu: lots}",
			`entrypoint-resources: requests.cpu: "lots" is not a quantity such as "500m" or "2Gi"`},
		{"entrypoint-resources", "limits: {cpu: -1}", `limits.cpu: "-1" is not a quantity`},
		{"entrypoint-resources", "limits: {memory: 512Mi}",
			`entrypoint-resources: limits.memory 512Mi is less than the 640Mi needed for an entrypoint-memory-budget of 256Mi`},
		{"entrypoint-memory-budget", "16Mi",
			`entrypoint-memory-budget: 16Mi is less than eight times max-message-bytes, 32Mi`},
		{"entrypoint-memory-budget", "lots", `entrypoint-memory-budget: "lots" is not a size from 1Mi to 1Ti, such as "256Mi"`},
		{"web-origins", "app.example.com", `web-origins: "app.example.com" is not a web origin such as "https://app.example.com"`},
		{"web-origins", "https://app.example.com/", `web-origins: "https://app.example.com/" is not a web origin`},
		{"entrypoint-resources", "request: {cpu: 1}", `unknown field "request"`},
	} {
		t.Run(test.key+" "+test.text, func(t *testing.T) {
			s, err := render.ParseSettings(map[string]string{test.key: test.text, "scale-target": "7"})
			require.ErrorContains(t, err, "cannot use the settings: ")
			require.ErrorContains(t, err, test.want)
			require.NotContains(t, err.Error(), "\n")
			require.Equal(t, render.DefaultSettings(), s)
		})
	}
}

func TestHostsHaveOneProtocolEach(t *testing.T) {
	data := map[string]string{"ingress-domain": "example.com", "ingress-web-domain": "example.com"}
	_, err := render.ParseSettings(data)
	require.EqualError(t, err, "cannot use the settings: "+
		`ingress-web-domain: "example.com" is ingress-domain too: a host has one protocol to its backend`)
	data["ingress-web-domain"], data["gateway"] = "api.example.com", "gateways/public/https"
	s, err := render.ParseSettings(data)
	require.NoError(t, err)
	require.Equal(t, render.Gateway{Namespace: "gateways", Name: "public", Listener: "https"}, s.Gateway)
}

func TestAllWrongSettingsAtOnce(t *testing.T) {
	_, err := render.ParseSettings(map[string]string{"timeout": "x", "scale-max": "1", "scale-min": "2", "gpu": "y"})
	require.EqualError(t, err, `cannot use the settings: "gpu" is not a setting; `+
		`timeout: "x" is not a duration from 1s to 9m50s, such as "30s" or "2m"; scale-max: 1 is less than scale-min, 2`)
}
