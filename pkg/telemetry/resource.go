package telemetry

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	resourcepb "go.opentelemetry.io/proto/otlp/resource/v1"
)

// Process is the process that records traces, as far as their resources name it.
type Process struct {
	// Namespace is the runtime of the version that it serves.
	Namespace string
	// Pod is the name of its pod; empty outside a cluster.
	Pod string
	// Instance is what tells it from others of its service; empty means Pod.
	Instance string
	// Name is the name of its service; empty means that of the version's entrypoint.
	Name string
	// Attributes are further attributes of the resources, which win over all others but
	// Name. Nodes have those that are not of the entrypoint's process alone.
	Attributes []Attribute
}

// Attribute is an attribute of a resource.
type Attribute struct{ Key, Value string }

// The attribute keys of resources that name a service, its instance and its pod.
const (
	keyService  = "service.name"
	keyInstance = "service.instance.id"
	keyPod      = "k8s.pod.name"
)

// resource describes a service. It is called as its Knative Service, or the Deployment of
// its entrypoint, is: Knative's own spans have the same name.
func (p Process) resource(s service) *resourcepb.Resource {
	r := &resourcepb.Resource{}
	set := func(key, value string) {
		if value == "" {
			return
		}
		if at := slices.IndexFunc(r.Attributes, func(a *commonpb.KeyValue) bool { return a.Key == key }); at >= 0 {
			r.Attributes[at] = text(key, value)
			return
		}
		r.Attributes = append(r.Attributes, text(key, value))
	}
	set(keyService, s.version+"-"+cmp.Or(s.node, "entrypoint"))
	set("service.namespace", p.Namespace)
	set("service.version", s.version)
	set("krt.version", s.version)
	set("krt.node", s.node)
	if p.Pod != "" {
		set("k8s.namespace.name", p.Namespace)
	}
	if s.node == "" {
		set(keyInstance, cmp.Or(p.Instance, p.Pod))
		set(keyPod, p.Pod)
	}
	for _, a := range p.Attributes {
		if s.node == "" || !ofProcess(a.Key) {
			set(a.Key, a.Value)
		}
	}
	if s.node == "" {
		set(keyService, p.Name)
	}
	return r
}

// ofProcess reports whether an attribute is of one process, and not of a whole version.
func ofProcess(key string) bool {
	if key == keyService || key == keyInstance {
		return true
	}
	for _, group := range []string{"k8s.pod.", "k8s.container.", "k8s.deployment.", "k8s.replicaset.", "k8s.node.",
		"container.", "host.", "process."} {
		if strings.HasPrefix(key, group) {
			return true
		}
	}
	return false
}

// maxAttributes limits how many attributes OTEL_RESOURCE_ATTRIBUTES has.
const maxAttributes = 64

// parseAttributes reads OTEL_RESOURCE_ATTRIBUTES: key=value, separated by commas, with
// percent-encoded values.
func parseAttributes(list string) (attributes []Attribute, err error) {
	for pair := range strings.SplitSeq(list, ",") {
		if strings.TrimSpace(pair) == "" {
			continue
		}
		key, value, found := strings.Cut(pair, "=")
		key = strings.TrimSpace(key)
		if !found || key == "" || !utf8.ValidString(key) {
			return nil, fmt.Errorf("%q is not of the form key=value", pair)
		}
		if value, err = url.PathUnescape(strings.TrimSpace(value)); err != nil {
			return nil, fmt.Errorf("%s: %w", key, err)
		}
		if len(attributes) == maxAttributes {
			return nil, fmt.Errorf("it has more than %d attributes", maxAttributes)
		}
		attributes = append(attributes, Attribute{key, value})
	}
	return attributes, nil
}
