package render

import (
	"cmp"
	"maps"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/krt"
)

// FromOptions are what a bundle does not contain.
type FromOptions struct {
	// Namespace is the runtime the version is for.
	Namespace string
	// Delivery is the version's; empty for the default, a Sequence.
	Delivery v1alpha1.Delivery
	// Authentication is required of clients; nil for none.
	Authentication *v1alpha1.Authentication
	// ChannelTemplate is the channel between the nodes; nil for the cluster's.
	ChannelTemplate *v1alpha1.ChannelTemplate
	// Results is how responses to asynchronous requests are kept; nil: they are not.
	Results *v1alpha1.Results
	// Artifact is the reference of the artifact with the bundle's files for people; empty for none.
	Artifact string
}

// FromBundle returns the Version that a bundle describes, stopped. images has the image built
// for each node by its name; a node without one keeps its manifest's. Of the bundle's protos
// it has the public one and its imports: the others are the nodes' own, of which the
// entrypoint gets descriptors if it is to keep their messages.
func FromBundle(b *krt.Bundle, images map[string]string, o FromOptions) *v1alpha1.Version {
	m := b.Manifest
	v := &v1alpha1.Version{ObjectMeta: metav1.ObjectMeta{Name: m.Version, Namespace: o.Namespace}}
	v.SetKind()
	v.Spec = v1alpha1.VersionSpec{
		State:       v1alpha1.StateStopped,
		Description: m.Description,
		Artifact:    o.Artifact,
		Entrypoint: v1alpha1.Entrypoint{
			Proto: m.Entrypoint.Proto, Files: protos(b), Delivery: o.Delivery, Authentication: o.Authentication,
			ChannelTemplate: o.ChannelTemplate, Results: o.Results, WarmUp: m.Entrypoint.WarmUp,
		},
		Config: v1alpha1.Config{Variables: slices.Clone(m.Config.Variables), Files: slices.Clone(m.Config.Files)},
	}
	v.Spec.Entrypoint.BackgroundTimeout = positive(m.Entrypoint.BackgroundTimeout)
	if i := m.Entrypoint.Inspect; i != nil {
		kept := &v1alpha1.Inspect{Share: int32(i.Share), PayloadBytes: int32(i.PayloadBytes), Redact: slices.Clone(i.Redact)}
		if b.Messages != nil {
			kept.Descriptors = b.Messages.Descriptors()
		}
		v.Spec.Entrypoint.Inspect = kept
	}
	for _, n := range m.Nodes {
		node := fromNode(n, images[n.Name])
		if node.Workers == nil && b.InTurn(n) {
			node.Workers = new(int32(1)) // set explicitly, so that its pods follow its load
		}
		if n.FileContent() && len(m.Config.Files) > 0 {
			node.ConfigFiles = v1alpha1.ConfigFilesContent
		}
		v.Spec.Nodes = append(v.Spec.Nodes, node)
	}
	for _, w := range m.Workflows {
		v.Spec.Workflows = append(v.Spec.Workflows, v1alpha1.Workflow{
			Name: w.Name, Entrypoint: w.Entrypoint, Sequential: slices.Clone(w.Sequential),
		})
	}
	return v
}

// protos are the public proto and, by path, what it imports.
func protos(b *krt.Bundle) []v1alpha1.ProtoFile {
	sources, public := b.Schema.Sources(), b.Manifest.Entrypoint.Proto
	files := []v1alpha1.ProtoFile{{Path: public, Content: string(sources[public])}}
	for _, path := range slices.Sorted(maps.Keys(sources)) {
		if path != public {
			files = append(files, v1alpha1.ProtoFile{Path: path, Content: string(sources[path])})
		}
	}
	return files
}

func fromNode(n krt.Node, image string) v1alpha1.Node {
	node := v1alpha1.Node{
		Name:     n.Name,
		Image:    cmp.Or(image, n.Image),
		Src:      n.Src,
		GPU:      n.GPU,
		Replicas: number[int32](n.Replicas),
		Workers:  number[int32](n.Workers),
		Fork:     n.Fork,
	}
	if r := n.GPURequest; r != nil {
		node.GPURequest = &v1alpha1.GPURequest{Resource: r.Resource, Count: number[int32](r.Count)}
	}
	if s := n.Scale; s != nil {
		node.Scale = &v1alpha1.Scale{
			Min: number[int32](s.Min), Max: number[int32](s.Max),
			Target: number[int32](s.Target), Concurrency: number[int64](s.Concurrency),
			Keep: positive(s.Keep), StartTimeout: positive(s.StartTimeout),
		}
	}
	if r := n.Resources; r != nil {
		node.Resources = &v1alpha1.Resources{Requests: quantities(r.Requests), Limits: quantities(r.Limits)}
	}
	for _, name := range slices.Sorted(maps.Keys(n.Env)) {
		node.Env = append(node.Env, v1alpha1.EnvVar{Name: name, Value: n.Env[name]})
	}
	node.Timeout = positive(n.Timeout)
	return node
}

// positive is a duration of the spec, nil for 0, which means that it is not set.
func positive(d time.Duration) *metav1.Duration {
	if d <= 0 {
		return nil
	}
	return &metav1.Duration{Duration: d}
}

// quantities parses a manifest's quantities; package krt has checked each.
func quantities(texts map[string]string) corev1.ResourceList {
	if texts == nil {
		return nil
	}
	list := corev1.ResourceList{}
	for name, text := range texts {
		list[corev1.ResourceName(name)] = resource.MustParse(text)
	}
	return list
}

func number[T int32 | int64](n *int) *T {
	if n == nil {
		return nil
	}
	return new(T(*n))
}
