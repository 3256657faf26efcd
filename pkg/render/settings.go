package render

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/channel"
	"krt.dev/kn-krt/pkg/entrypoint/measure"
	"krt.dev/kn-krt/pkg/retention"
	"krt.dev/kn-krt/pkg/runner/environment"
)

// SystemNamespace is where kn-krt itself runs (config/), and SettingsName the name of the
// ConfigMap with the settings there.
const (
	SystemNamespace = "krt-system"
	SettingsName    = "config-krt"
)

// Settings are the cluster's: the ConfigMap config-krt, read by [ParseSettings].
// [DefaultSettings] returns those of an empty one.
type Settings struct {
	// BaseImages are the images that nodes are built on, by the image in the manifest
	// ("konstellation/kre-py:1.23.1", or without the tag), or by language ("python",
	// "go"). Package image uses them.
	BaseImages map[string]string

	// GPUResource is the resource of which a node with gpu requests one.
	GPUResource corev1.ResourceName
	// GPUNodeSelector and GPUTolerations let its pods be scheduled on nodes that have it.
	GPUNodeSelector map[string]string
	GPUTolerations  []corev1.Toleration

	// ChannelTemplate is the channel between the steps of a Sequence.
	ChannelTemplate v1alpha1.ChannelTemplate

	// Timeout is how long a client waits unless the version sets it.
	Timeout time.Duration
	// BackgroundTimeout is how long work may continue after an early reply, and for
	// asynchronous requests, unless the version sets it.
	BackgroundTimeout time.Duration
	// StreamTimeout is how long a stream of responses may last, unless the version's timeout is
	// longer; StreamIdle is how long a node may take from one message to the next.
	StreamTimeout, StreamIdle time.Duration
	// StreamMessages is how many messages a stream may have.
	StreamMessages int
	// RevisionTimeout is the longest timeout that Knative allows for a Revision.
	RevisionTimeout time.Duration
	// ConnectionAge is how long a client's connection may live at most.
	ConnectionAge time.Duration
	// ConnectionGrace is how long requests may continue once their connection is retired;
	// when an entrypoint stops, at least for the version's timeout.
	ConnectionGrace time.Duration
	// MaxMessageBytes bounds a message, in the entrypoint and in nodes.
	MaxMessageBytes int

	// ScaleMin, ScaleMax, ScaleTarget and ScaleConcurrency apply to nodes that do not set
	// them; as in a manifest, 0 means no limit. With a ScaleTarget of 0, Knative's default
	// applies, except for Python: see PythonWorkers.
	ScaleMin, ScaleMax, ScaleTarget int32
	ScaleConcurrency                int64
	// PythonWorkers is the number of worker processes, each with one call at a time, of a
	// Python node that does not set it.
	PythonWorkers int
	// PythonQueue is how many calls wait in a pod for one of these.
	PythonQueue int
	// WarmUp is whether nodes at zero are woken ahead, unless the version sets it.
	WarmUp bool

	// EntrypointReplicas is the number of entrypoint pods unless the version sets it.
	EntrypointReplicas int32
	// EntrypointBudget is how many bytes of requests and responses an entrypoint
	// holds at most; 0 for what [Settings.Budget] makes of MaxMessageBytes.
	EntrypointBudget int64
	// WebOrigins are the origins whose pages may call versions from browsers; "*"
	// is any.
	WebOrigins []string
	// EntrypointResources are the entrypoint container's; memory that they do not set
	// follows from the budget.
	EntrypointResources corev1.ResourceRequirements
	// ReplyNamespaces may reach the entrypoint's internal port besides the version's own:
	// those of channel dispatchers and of metrics collectors. One "*" means all, and no
	// NetworkPolicy.
	ReplyNamespaces []string

	// StoreURL is the store for ctx.measurement, ctx.prediction and ctx.db of nodes: empty
	// for the one of config/, [NoStore] for none. See [Settings.Store].
	StoreURL string
	// StoreCA has the certificates, in PEM, by one of which that of an https store is
	// signed; empty for the system's.
	StoreCA string
	// QueueURL is the queue of durable deliveries, empty for the one of config/: see
	// [Settings.Queue]. QueueSecret is the Secret with the credentials for another one, and
	// QueueCA has the certificates, in PEM, by one of which that of config/ is signed.
	QueueURL, QueueSecret, QueueCA string
	// QueueReplicas is on how many servers a version's stream is, and QueueMaxBytes how many
	// bytes of events may wait in it.
	QueueReplicas int32
	QueueMaxBytes int64
	// Retention is how long the store keeps each kind of data.
	Retention retention.Policy
	// Measurements is which automatic measurements the entrypoint saves in that store.
	Measurements measure.Mode
	// OTLPEndpoint is the URL of the collector to which entrypoints send the traces of
	// requests; empty for none.
	OTLPEndpoint string
	// OTLPProtocol is how: "http/protobuf" or "grpc".
	OTLPProtocol string
	// TraceSampling is the share, from 0 to 1, of the requests that are recorded of those
	// whose client does not decide.
	TraceSampling float64
	// PrometheusURL is the Prometheus that plans of canaries query; empty for none.
	PrometheusURL string
	// StartTimeout is how long a cause that needs a person may last before a start has failed.
	StartTimeout time.Duration
	// ClusterDomain is the DNS suffix of Services.
	ClusterDomain string

	// IngressDomain makes published versions reachable from outside the cluster as
	// <namespace>.<domain>, by gRPC, and IngressWebDomain by the protocols of the web port;
	// empty for not by those. They differ.
	IngressDomain, IngressWebDomain string
	// Gateway has routes of the Gateway API for that; without a name there are Ingresses.
	Gateway Gateway
	// IngressClass is the ingress class; empty for the cluster's default.
	IngressClass string
	// IngressAnnotations are those of the Ingress for gRPC, which make the ingress controller
	// use it to its backend; IngressWebAnnotations are those of the other one.
	IngressAnnotations, IngressWebAnnotations map[string]string
	// IngressTLSSecret is the Secret, in the version's namespace, with the certificate of the
	// host; empty for no TLS. IngressWebTLSSecret is that of the other host; empty for the same.
	IngressTLSSecret, IngressWebTLSSecret string

	// ImagePullSecrets are the names of Secrets, in the version's namespace, for
	// images of nodes and of the entrypoint.
	ImagePullSecrets []string
}

// Gateway is a Gateway of the Gateway API, and one of its listeners; with no name of one, all whose
// hostname matches.
type Gateway struct{ Namespace, Name, Listener string }

// DefaultSettings returns the settings of a cluster whose config-krt is empty.
func DefaultSettings() Settings {
	const gpu = "nvidia.com/gpu"
	s := Settings{
		GPUResource:     gpu,
		GPUNodeSelector: map[string]string{gpu + ".present": "true"},
		GPUTolerations:  []corev1.Toleration{{Key: gpu, Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoSchedule}},

		Timeout: 30 * time.Second,

		BackgroundTimeout: environment.DefaultBackgroundTimeout,
		RevisionTimeout:   600 * time.Second,

		StreamTimeout:  environment.DefaultStreamTimeout,
		StreamIdle:     environment.DefaultStreamIdle,
		StreamMessages: environment.DefaultStreamMessages,

		ConnectionAge:   2 * time.Minute,
		ConnectionGrace: 30 * time.Second,
		MaxMessageBytes: environment.DefaultMaxMessageBytes,

		PythonWorkers: 1,
		PythonQueue:   environment.DefaultQueue,
		WarmUp:        true,

		EntrypointReplicas: 1,
		EntrypointResources: corev1.ResourceRequirements{Requests: corev1.ResourceList{
			corev1.ResourceCPU: resource.MustParse("25m"),
		}},
		ReplyNamespaces: []string{"knative-eventing"},

		Retention:     retention.Default(),
		QueueReplicas: 1,
		QueueMaxBytes: 256 << 20,

		Measurements:  measure.Aggregated,
		OTLPProtocol:  protocolHTTP,
		TraceSampling: 0.1,
		StartTimeout:  2 * time.Minute,
		ClusterDomain: "cluster.local",

		IngressAnnotations: map[string]string{"nginx.ingress.kubernetes.io/backend-protocol": "GRPC"},
	}
	s.ChannelTemplate.APIVersion, s.ChannelTemplate.Kind = channel.DefaultVersion, channel.Default().Name
	return s
}
