package cluster

import (
	"fmt"
	"net/http"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/cluster/installed"
	"krt.dev/kn-krt/pkg/cluster/limit"
	"krt.dev/kn-krt/pkg/render"
)

// SystemNamespace is where kn-krt itself runs.
const SystemNamespace = render.SystemNamespace

// fieldOwner is the name under which writes are recorded in an object's managed fields.
const fieldOwner = client.FieldOwner("kn-krt-cli")

// RequestTimeout is how long one request may take until its response has been read, together
// with its retries: what a [Client] asks for is there at once or not at all. What has no end
// (watches, logs that are followed, port-forwards) has no limit. A log that is read to its
// end has one for each read, because its lines may be processed slowly.
const RequestTimeout = 30 * time.Second

// Client works with the versions of one namespace of a cluster. It may be used by many
// goroutines at a time. Its methods send what they need when they are called; none of
// them caches.
type Client struct {
	kube      client.WithWatch
	config    *rest.Config
	namespace string
	silence   time.Duration // 0 is the default of package follow
}

// New makes a client for a namespace from a configuration, which it copies. Requests
// are bounded in time (see [RequestTimeout]) and not in number per second. Nothing is
// sent yet.
func New(config *rest.Config, namespace string) (*Client, error) {
	config = rest.CopyConfig(config)
	config.QPS = -1 // a person types slower than any limit
	inner := config.WrapTransport
	config.WrapTransport = func(next http.RoundTripper) http.RoundTripper {
		next = limit.Impatient(next, RequestTimeout)
		if inner != nil {
			next = inner(next)
		}
		return next
	}
	kube, err := limit.Client(config, client.Options{Scheme: kinds(), Mapper: mapper()}, RequestTimeout)
	if err != nil {
		return nil, fmt.Errorf("cannot connect to the cluster at %s: %w", config.Host, err)
	}
	return &Client{kube: kube, config: config, namespace: namespace}, nil
}

// Namespace is the namespace that c works in.
func (c *Client) Namespace() string { return c.namespace }

// Host is the address of the cluster's API server.
func (c *Client) Host() string { return c.config.Host }

// In returns a client for another namespace of the same cluster, which shares c's
// connections. In(metav1.NamespaceAll) works in all namespaces; it can only List and follow
// objects.
func (c *Client) In(namespace string) *Client {
	other := *c
	other.namespace = namespace
	return &other
}

// GivingUp returns a client that follows objects until the API server has been away for that long;
// others do for a minute.
func (c *Client) GivingUp(silence time.Duration) *Client {
	other := *c
	other.silence = silence
	return &other
}

// kinds are the kinds that a client reads and writes.
func kinds() *runtime.Scheme {
	s := runtime.NewScheme()
	utilruntime.Must(v1alpha1.AddToScheme(s))
	utilruntime.Must(corev1.AddToScheme(s))
	utilruntime.Must(appsv1.AddToScheme(s))
	utilruntime.Must(authenticationv1.AddToScheme(s))
	utilruntime.Must(authorizationv1.AddToScheme(s))
	return s
}

// mapper knows the kinds' addresses: asking the cluster for them (discovery) would cost
// every client two or more round trips.
func mapper() meta.RESTMapper {
	m := meta.NewDefaultRESTMapper(nil)
	add := func(gv schema.GroupVersion, scope meta.RESTScope, kinds ...string) {
		for _, kind := range kinds {
			m.Add(gv.WithKind(kind), scope)
		}
	}
	add(v1alpha1.GroupVersion, meta.RESTScopeNamespace, "Version", "Runtime")
	add(corev1.SchemeGroupVersion, meta.RESTScopeNamespace, "ConfigMap", "Event", "Pod", "Secret", "Service", "ServiceAccount")
	add(corev1.SchemeGroupVersion, meta.RESTScopeRoot, "Namespace", "Node")
	add(authenticationv1.SchemeGroupVersion, meta.RESTScopeRoot, "SelfSubjectReview")
	add(authorizationv1.SchemeGroupVersion, meta.RESTScopeRoot, "SelfSubjectAccessReview")
	add(appsv1.SchemeGroupVersion, meta.RESTScopeNamespace, "Deployment", "StatefulSet")
	add(schema.GroupVersion{Group: "apiextensions.k8s.io", Version: "v1"}, meta.RESTScopeRoot, "CustomResourceDefinition")
	add(schema.GroupVersion{Group: "monitoring.coreos.com", Version: "v1"}, meta.RESTScopeNamespace, "PodMonitor", "Prometheus",
		"PrometheusRule", "ServiceMonitor")
	rbac := schema.GroupVersion{Group: "rbac.authorization.k8s.io", Version: "v1"}
	add(rbac, meta.RESTScopeNamespace, "Role", "RoleBinding")
	add(rbac, meta.RESTScopeRoot, "ClusterRole", "ClusterRoleBinding")
	for _, kind := range installed.Created() {
		m.Add(kind, meta.RESTScopeNamespace)
	}
	return m
}

// inNamespace is the option that keeps a list to c's namespace.
func (c *Client) inNamespace() client.ListOption { return client.InNamespace(c.namespace) }

// only are the options that keep a list to c's namespace, and with a name to that object.
func (c *Client) only(name string) []client.ListOption {
	options := []client.ListOption{c.inNamespace()}
	if name != "" {
		options = append(options, client.MatchingFields{"metadata.name": name})
	}
	return options
}

// key names an object of c's namespace.
func (c *Client) key(name string) client.ObjectKey {
	return client.ObjectKey{Namespace: c.namespace, Name: name}
}
