package render

import (
	"time"

	corev1 "k8s.io/api/core/v1"

	"krt.dev/kn-krt/pkg/runner/environment"
)

// settingKey is one key of config-krt.
type settingKey struct {
	name string
	// about documents the key; example is the default, or an example if the default is
	// nothing.
	about, example string
	// set checks the text and stores its value; the error says what it may be.
	set func(s *Settings, text string) error
}

// settingKeys are all keys, by subject.
func settingKeys() []settingKey {
	var keys []settingKey
	for _, subject := range [][]settingKey{
		imageKeys(), gpuKeys(), trafficKeys(), streamKeys(), storeKeys(), queueKeys(), scaleKeys(), entrypointKeys(), traceKeys(), ingressKeys(),
	} {
		keys = append(keys, subject...)
	}
	return keys
}

func imageKeys() []settingKey {
	return []settingKey{
		{"base-images", "The base images of nodes, by the image that krt.yml names, with or without its tag, or by\n" +
			"language (python, go). Default: none.",
			"konstellation/kre-py: registry.example.com/kn-krt/python:3.13\ngo: registry.example.com/static:nonroot\n",
			func(s *Settings, text string) error { return images(&s.BaseImages, text) }},
		{"image-pull-secrets", "Secrets in a version's namespace with which images are pulled: names separated by commas. Default: none.",
			"registry-login",
			func(s *Settings, text string) error { return names(&s.ImagePullSecrets, text) }},
	}
}

func gpuKeys() []settingKey {
	return []settingKey{
		{"gpu-resource", "The resource of which a node with gpu: true requests one, unless it names another.", "nvidia.com/gpu",
			func(s *Settings, text string) error { return resourceName(&s.GPUResource, text) }},
		{"gpu-node-selector", "Labels of the machines on which it runs, for resources of that vendor; {} for any machine.",
			"nvidia.com/gpu.present: \"true\"\n",
			func(s *Settings, text string) error { return labelMap(&s.GPUNodeSelector, text) }},
		{"gpu-tolerations", "Taints that it tolerates; [] for none.",
			"- key: nvidia.com/gpu\n  operator: Exists\n  effect: NoSchedule\n",
			func(s *Settings, text string) error { return tolerations(&s.GPUTolerations, text) }},
	}
}

func trafficKeys() []settingKey {
	return []settingKey{
		{"channel-template", "The channel between the steps of a workflow: apiVersion, kind, and if needed annotations and spec. An in-memory\n" +
			"channel loses its events when its dispatcher restarts; KafkaChannel and others keep them. A version may have\n" +
			"another (spec.entrypoint.channelTemplate).",
			"apiVersion: messaging.knative.dev/v1\nkind: InMemoryChannel\n",
			func(s *Settings, text string) error { return channelTemplate(&s.ChannelTemplate, text) }},
		{"timeout", "How long a client waits for a response, unless the version sets it; at most 590s.", "30s",
			func(s *Settings, text string) error { return duration(&s.Timeout, text, maxTimeout) }},
		{"background-timeout", "How long work may continue after an early response, and for asynchronous requests, unless the\n" +
			"version sets it; at most 24h.", "1h0m0s",
			func(s *Settings, text string) error { return duration(&s.BackgroundTimeout, text, 24*time.Hour) }},
		{"revision-timeout", "The longest timeout that Knative allows for a Revision (max-revision-timeout-seconds in its\n" +
			"config-defaults). It limits one call of a node, unless the entrypoint calls the node's only pod\n" +
			"directly.", "10m0s",
			func(s *Settings, text string) error { return duration(&s.RevisionTimeout, text, 24*time.Hour) }},
		{"connection-age", "How long a client's connection lives at most before the client must reconnect: for that long,\n" +
			"clients may reach the version that was published before. An HTTP connection that is idle for\n" +
			"longer is closed by its next request.", "2m0s",
			func(s *Settings, text string) error {
				return duration(&s.ConnectionAge, text, 24*time.Hour)
			}},
		{"connection-grace", "How long requests may continue after that; when an entrypoint stops, at least for their timeout.", "30s",
			func(s *Settings, text string) error {
				return duration(&s.ConnectionGrace, text, time.Hour)
			}},
		{"max-message-bytes", "The size of the largest message, in bytes.", "4194304",
			func(s *Settings, text string) error {
				return integer(&s.MaxMessageBytes, text, 1, environment.MostMessageBytes)
			}},
		{"prometheus-url", "The URL of the Prometheus that plans of canaries query (limits.query). Whoever may edit a Runtime can\n" +
			"query it. Default: none.", "http://prometheus.monitoring:9090",
			func(s *Settings, text string) error {
				return serverURL(&s.PrometheusURL, text, "http://prometheus:9090")
			}},
		{"cluster-domain", "The DNS suffix of Services.", "cluster.local",
			func(s *Settings, text string) error { return domain(&s.ClusterDomain, text) }},
	}
}

func streamKeys() []settingKey {
	return []settingKey{
		{"stream-timeout", "How long a stream of responses may last, unless the version's timeout is longer. It must be at least 5s\n" +
			"shorter than revision-timeout.", "5m0s",
			func(s *Settings, text string) error { return duration(&s.StreamTimeout, text, 24*time.Hour) }},
		{"stream-idle", "How long a node may take from one of its messages of a stream to the next. Time in which the client does\n" +
			"not read does not count.", "1m0s",
			func(s *Settings, text string) error { return duration(&s.StreamIdle, text, 24*time.Hour) }},
		{"stream-messages", "How many messages a stream may have.", "100000",
			func(s *Settings, text string) error { return integer(&s.StreamMessages, text, 1, 1_000_000_000) }},
	}
}

func scaleKeys() []settingKey {
	const most = 1000
	return []settingKey{
		{"scale-min", "The least number of pods of a node, unless the node sets it; 0 lets it scale to zero.", "0",
			func(s *Settings, text string) error { return integer(&s.ScaleMin, text, 0, most) }},
		{"scale-max", "The largest number of pods; 0 for no limit.", "0",
			func(s *Settings, text string) error { return integer(&s.ScaleMax, text, 0, most) }},
		{"scale-target", "How many requests a pod should have in flight; 0 for Knative's default (for Python: python-workers).", "0",
			func(s *Settings, text string) error { return integer(&s.ScaleTarget, text, 0, most) }},
		{"scale-concurrency", "How many requests a pod receives at most; 0 for no limit. Knative refuses more than ten times that.", "0",
			func(s *Settings, text string) error { return integer(&s.ScaleConcurrency, text, 0, most) }},
		{"python-workers", "How many worker processes a pod of a Python node has, unless the node sets it (workers). Each runs\n" +
			"init by itself and handles one call at a time. A node with a GPU has 1 by default.", "1",
			func(s *Settings, text string) error {
				return integer(&s.PythonWorkers, text, 1, environment.MostWorkers)
			}},
		{"python-queue", "How many calls wait for a worker in a pod of a Python node; further calls are refused, and retried.", "1000",
			func(s *Settings, text string) error { return integer(&s.PythonQueue, text, 1, environment.MostQueue) }},
		{"warm-up", "Whether nodes at zero are woken ahead, unless the version sets it: all nodes of a workflow by its first\n" +
			"event, and all of a version before it is published or gets requests as a canary.", "true",
			func(s *Settings, text string) error { return truth(&s.WarmUp, text) }},
		{"start-timeout", "How long a cause that needs a person may last before a start has failed; for a version whose nodes may take\n" +
			"longer (scale.startTimeout), as long as the slowest of them.", "2m0s",
			func(s *Settings, text string) error {
				return duration(&s.StartTimeout, text, time.Hour)
			}},
	}
}

func entrypointKeys() []settingKey {
	return []settingKey{
		{"entrypoint-replicas", "The number of entrypoint pods, unless the version sets it.", "1",
			func(s *Settings, text string) error { return integer(&s.EntrypointReplicas, text, 1, 100) }},
		{"entrypoint-memory-budget", "How many bytes of requests and responses an entrypoint holds at most; further requests are refused\n" +
			"with RESOURCE_EXHAUSTED or 429. At least eight times max-message-bytes. The memory limit follows\n" +
			"from it: twice the budget plus 128Mi.", "256Mi",
			func(s *Settings, text string) error { return byteSize(&s.EntrypointBudget, text) }},
		{"web-origins", "Web origins whose pages may call versions from browsers (CORS), separated by commas, or \"*\" for any.\n" +
			"Default: none. Then requests that browsers send for other sites are refused.", "https://app.example.com",
			func(s *Settings, text string) error { return webOrigins(&s.WebOrigins, text) }},
		{"entrypoint-resources", "The resource requests and limits of an entrypoint pod. Memory that is not listed follows from the budget.",
			"requests:\n  cpu: 25m\n",
			func(s *Settings, text string) error {
				var r corev1.ResourceRequirements
				if err := resources(&r, text); err != nil {
					return err
				}
				s.EntrypointResources = r
				return nil
			}},
		{"reply-namespaces", "The namespaces that may reach an entrypoint's internal port 8081 besides its own, if the network\n" +
			"enforces policies: those of channel dispatchers and of metrics collectors. Names separated by\n" +
			"commas, or \"*\" for all.", "knative-eventing",
			func(s *Settings, text string) error { return namespaces(&s.ReplyNamespaces, text) }},
	}
}

func traceKeys() []settingKey {
	return []settingKey{
		{"otlp-endpoint", "The URL of the OpenTelemetry collector to which entrypoints send the traces of requests: with https,\n" +
			"TLS is used. Default: none. Then no traces are recorded.", "http://otel-collector.observability:4318",
			func(s *Settings, text string) error { return serverURL(&s.OTLPEndpoint, text, "http://collector:4318") }},
		{"otlp-protocol", "How traces are sent: http/protobuf (usually port 4318) or grpc (4317).", protocolHTTP,
			func(s *Settings, text string) error { return oneOf(&s.OTLPProtocol, text, protocolHTTP, protocolGRPC) }},
		{"trace-sampling", "The share of requests whose traces are recorded, from 0 to 1. A client that sends a trace context\n" +
			"decides itself.", "0.1",
			func(s *Settings, text string) error { return share(&s.TraceSampling, text) }},
	}
}

func ingressKeys() []settingKey {
	return []settingKey{
		{"ingress-domain", "Makes published versions reachable from outside the cluster, by gRPC, as <namespace>.<domain>.\n" +
			"Default: none. Then they are not.", "grpc.example.com",
			func(s *Settings, text string) error { return domain(&s.IngressDomain, text) }},
		{"ingress-web-domain", "The same by JSON, Connect, gRPC-Web and CloudEvents. Another domain than ingress-domain: a\n" +
			"host has one protocol to its backend. Default: none. Then they are not.", "api.example.com",
			func(s *Settings, text string) error { return domain(&s.IngressWebDomain, text) }},
		{"gateway", "The Gateway (Gateway API) of these hosts: namespace/name, or namespace/name/listener. Its listeners\n" +
			"must allow routes of the versions' namespaces. Default: none. Then there are Ingresses, to which the\n" +
			"settings below apply.", "gateways/public",
			func(s *Settings, text string) error { return gateway(&s.Gateway, text) }},
		{"ingress-class", "The ingress class. Default: the cluster's default class.", "nginx",
			func(s *Settings, text string) error { return name(&s.IngressClass, text) }},
		{"ingress-annotations", "Annotations of the Ingress for gRPC. They must make the ingress controller use gRPC to its backend;\n" +
			"add those of your issuer of certificates.",
			"nginx.ingress.kubernetes.io/backend-protocol: GRPC\n",
			func(s *Settings, text string) error { return annotations(&s.IngressAnnotations, text) }},
		{"ingress-web-annotations", "Annotations of the other Ingress. Default: none.", "cert-manager.io/cluster-issuer: letsencrypt\n",
			func(s *Settings, text string) error { return annotations(&s.IngressWebAnnotations, text) }},
		{"ingress-tls-secret", "The Secret in a version's namespace with the certificate of its host. Default: none. Then there is no\n" +
			"TLS.", "krt-tls",
			func(s *Settings, text string) error { return name(&s.IngressTLSSecret, text) }},
		{"ingress-web-tls-secret", "The same of the host below ingress-web-domain: an issuer makes one for each. Default: that of\n" +
			"ingress-tls-secret.", "krt-web-tls",
			func(s *Settings, text string) error { return name(&s.IngressWebTLSSecret, text) }},
	}
}
