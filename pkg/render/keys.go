package render

import (
	"time"

	corev1 "k8s.io/api/core/v1"

	"krt.dev/kn-krt/pkg/runner/environment"
)

// settingKey is one key of config-krt.
type settingKey struct {
	name string
	// about says what it does, for people; example is the default, or an example
	// where the default is nothing.
	about, example string
	// set checks the text and puts it in its place; the error says what it may be.
	set func(s *Settings, text string) error
}

// settingKeys are all keys, by subject.
func settingKeys() []settingKey {
	var keys []settingKey
	for _, subject := range [][]settingKey{imageKeys(), gpuKeys(), trafficKeys(), scaleKeys(), entrypointKeys(), ingressKeys()} {
		keys = append(keys, subject...)
	}
	return keys
}

func imageKeys() []settingKey {
	return []settingKey{
		{"base-images", "What nodes are built on: by what krt.yml calls the image, with or without its tag, or by\n" +
			"language, python or go. None by default.",
			"konstellation/kre-py: registry.example.com/kn-krt/python:3.13\ngo: registry.example.com/static:nonroot\n",
			func(s *Settings, text string) error { return images(&s.BaseImages, text) }},
		{"image-pull-secrets", "Secrets, in a version's namespace, with which images are pulled; names and commas. None by default.",
			"registry-login",
			func(s *Settings, text string) error { return names(&s.ImagePullSecrets, text) }},
	}
}

func gpuKeys() []settingKey {
	return []settingKey{
		{"gpu-resource", "What a node with gpu: true asks one of.", "nvidia.com/gpu",
			func(s *Settings, text string) error { return resourceName(&s.GPUResource, text) }},
		{"gpu-node-selector", "Labels of the cluster's nodes it runs on; {} for any.", "nvidia.com/gpu.present: \"true\"\n",
			func(s *Settings, text string) error { return labelMap(&s.GPUNodeSelector, text) }},
		{"gpu-tolerations", "Taints that do not keep it away; [] for none.",
			"- key: nvidia.com/gpu\n  operator: Exists\n  effect: NoSchedule\n",
			func(s *Settings, text string) error { return tolerations(&s.GPUTolerations, text) }},
	}
}

func trafficKeys() []settingKey {
	return []settingKey{
		{"channel-template", "The channel between the steps of a workflow. With an in-memory channel events do not outlive\n" +
			"its dispatcher; KafkaChannel and others keep them.",
			"apiVersion: messaging.knative.dev/v1\nkind: InMemoryChannel\n",
			func(s *Settings, text string) error { return channel(&s.ChannelTemplate, text) }},
		{"timeout", "How long a caller waits where the version does not say; at most 590s.", "30s",
			func(s *Settings, text string) error { return duration(&s.Timeout, text, maxTimeout) }},
		{"background-timeout", "How long work may go on once its caller has been answered early, and for asynchronous requests,\n" +
			"where the version does not say; at most 24h.", "1h0m0s",
			func(s *Settings, text string) error { return duration(&s.BackgroundTimeout, text, 24*time.Hour) }},
		{"revision-timeout", "The longest timeout that Knative allows a revision (max-revision-timeout-seconds of its config-defaults).\n" +
			"One call of a node ends with it, unless the entrypoint calls the node's only pod directly.", "10m0s",
			func(s *Settings, text string) error { return duration(&s.RevisionTimeout, text, 24*time.Hour) }},
		{"connection-age", "How long a caller's connection lives at most before it must be made anew: so long callers may\n" +
			"still reach the version that was published before. One over HTTP that rests longer is made\n" +
			"anew by its next request.", "2m0s",
			func(s *Settings, text string) error {
				return duration(&s.ConnectionAge, text, 24*time.Hour)
			}},
		{"connection-grace", "How long requests may go on behind that; when an entrypoint stops, at least their timeout.", "30s",
			func(s *Settings, text string) error {
				return duration(&s.ConnectionGrace, text, time.Hour)
			}},
		{"max-message-bytes", "The largest message, in bytes.", "4194304",
			func(s *Settings, text string) error {
				return integer(&s.MaxMessageBytes, text, 1, environment.MostMessageBytes)
			}},
		{"store-url", "Where ctx.measurement, ctx.prediction and ctx.db of nodes go. None by default: the first two\n" +
			"become log lines, and ctx.db is an error.", "http://krt-store.krt-system.svc.cluster.local",
			func(s *Settings, text string) error { return storeURL(&s.StoreURL, text) }},
		{"cluster-domain", "The DNS suffix of Services.", "cluster.local",
			func(s *Settings, text string) error { return domain(&s.ClusterDomain, text) }},
	}
}

func scaleKeys() []settingKey {
	const most = 1000
	return []settingKey{
		{"scale-min", "The least number of pods of a node that does not say; 0 lets it scale to zero.", "0",
			func(s *Settings, text string) error { return integer(&s.ScaleMin, text, 0, most) }},
		{"scale-max", "The largest; 0 for no bound.", "0",
			func(s *Settings, text string) error { return integer(&s.ScaleMax, text, 0, most) }},
		{"scale-target", "How many requests a pod should have in flight; 0 for Knative's default (python-workers for Python).", "0",
			func(s *Settings, text string) error { return integer(&s.ScaleTarget, text, 0, most) }},
		{"scale-concurrency", "How many requests a pod gets at most; 0 for no bound. Knative refuses what is more than ten times that.", "0",
			func(s *Settings, text string) error { return integer(&s.ScaleConcurrency, text, 0, most) }},
		{"python-workers", "How many processes, each with an init of its own and one call at a time, a Python node has in a pod\n" +
			"that does not say (workers). With a GPU it is one.", "1",
			func(s *Settings, text string) error {
				return integer(&s.PythonWorkers, text, 1, environment.MostWorkers)
			}},
		{"python-queue", "How many calls wait in a pod of a Python node for one of them; what is above is refused, and sent again.", "1000",
			func(s *Settings, text string) error { return integer(&s.PythonQueue, text, 1, environment.MostQueue) }},
		{"start-timeout", "How long what needs a person may stand in the way before a start has failed.", "2m0s",
			func(s *Settings, text string) error {
				return duration(&s.StartTimeout, text, time.Hour)
			}},
	}
}

func entrypointKeys() []settingKey {
	return []settingKey{
		{"entrypoint-replicas", "The number of entrypoint pods of a version that does not say.", "1",
			func(s *Settings, text string) error { return integer(&s.EntrypointReplicas, text, 1, 100) }},
		{"entrypoint-memory-budget", "How many bytes of requests and responses an entrypoint holds at most; what is more is refused with\n" +
			"RESOURCE_EXHAUSTED or 429. At least eight of the largest messages. Its memory limit follows: twice\n" +
			"the budget and 128Mi.", "256Mi",
			func(s *Settings, text string) error { return byteSize(&s.EntrypointBudget, text) }},
		{"web-origins", "Web origins whose pages may call versions from browsers (CORS): commas between them, or \"*\" for any.\n" +
			"None by default: requests that browsers send for other sites are refused.", "https://app.example.com",
			func(s *Settings, text string) error { return webOrigins(&s.WebOrigins, text) }},
		{"entrypoint-resources", "What an entrypoint pod asks for, and may use. Memory that is not listed follows from the budget.", "requests:\n  cpu: 25m\n",
			func(s *Settings, text string) error {
				var r corev1.ResourceRequirements
				if err := resources(&r, text); err != nil {
					return err
				}
				s.EntrypointResources = r
				return nil
			}},
		{"reply-namespaces", "Who may reach an entrypoint's internal port 8081 besides its own namespace, where the network\n" +
			"enforces policies: the namespaces of channel dispatchers and of who collects metrics; names and\n" +
			"commas, or \"*\" for all.", "knative-eventing",
			func(s *Settings, text string) error { return namespaces(&s.ReplyNamespaces, text) }},
	}
}

func ingressKeys() []settingKey {
	return []settingKey{
		{"ingress-domain", "Makes published versions reachable from outside, by gRPC, as <namespace>.<domain>. None by default:\n" +
			"no Ingress is made.", "krt.example.com",
			func(s *Settings, text string) error { return domain(&s.IngressDomain, text) }},
		{"ingress-class", "The ingress controller; the cluster's default by default.", "nginx",
			func(s *Settings, text string) error { return name(&s.IngressClass, text) }},
		{"ingress-annotations", "What tells the ingress controller that behind it gRPC is spoken.",
			"nginx.ingress.kubernetes.io/backend-protocol: GRPC\n",
			func(s *Settings, text string) error { return annotations(&s.IngressAnnotations, text) }},
		{"ingress-tls-secret", "The Secret, in a version's namespace, with the certificate of its host. None by default.", "krt-tls",
			func(s *Settings, text string) error { return name(&s.IngressTLSSecret, text) }},
	}
}
