package doctor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	registry "github.com/google/go-containerregistry/pkg/v1/remote"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/cli/remote"
	"krt.dev/kn-krt/pkg/cli/term"
	"krt.dev/kn-krt/pkg/render"
)

// graphics looks for nodes of the cluster that take pods with a GPU.
func (d *doctor) graphics(ctx context.Context) {
	const about = "GPU"
	settings, _, _ := d.c.Settings(ctx) // what is wrong with them is told already
	var nodes corev1.NodeList
	if err := d.c.List(ctx, &nodes, client.MatchingLabels(settings.GPUNodeSelector)); err != nil {
		d.unknown(about, err)
		return
	}
	total := int64(0)
	for _, n := range nodes.Items {
		quantity := n.Status.Allocatable[settings.GPUResource]
		total += quantity.Value()
	}
	if total > 0 {
		d.good(about, "%d %s on %s", total, settings.GPUResource, term.Count(len(nodes.Items), "node"))
		return
	}
	d.found(term.MarkInfo, about, fmt.Sprintf("no node of the cluster offers %s: nodes with gpu: true cannot run", settings.GPUResource), "")
}

// features looks at the flags that let a node choose where it runs.
func (d *doctor) features(ctx context.Context) {
	const about = "features"
	config := &corev1.ConfigMap{}
	err := d.c.Get(ctx, client.ObjectKey{Namespace: render.FeaturesNamespace, Name: render.FeaturesName}, config)
	if err != nil && !remote.IsUnknownName(err) {
		d.unknown(about, err)
		return
	}
	var off []string
	for _, flag := range render.GPUFeatures() {
		if !render.FlagOn(config.Data[flag]) {
			off = append(off, flag)
		}
	}
	if len(off) == 0 {
		d.good(about, "nodes with a GPU may say where they run")
		return
	}
	d.found(term.MarkInfo, about, fmt.Sprintf("nodes with a GPU cannot run: off in Knative are %s", strings.Join(off, " and ")),
		render.EnableFeatures(off))
}

// right is something one must be allowed to do.
type right struct {
	verb, group, resource, subresource string
}

// rights asks which of the rights that the verbs need are missing.
func (d *doctor) rights(ctx context.Context) {
	const about = "rights"
	group := v1alpha1.GroupVersion.Group
	needed := []right{
		{"list", group, "versions", ""}, {"watch", group, "versions", ""}, {"create", group, "versions", ""},
		{"patch", group, "versions", ""}, {"delete", group, "versions", ""},
		{"get", group, "runtimes", ""}, {"create", group, "runtimes", ""}, {"patch", group, "runtimes", ""},
		{"get", "", "secrets", ""}, {"create", "", "secrets", ""}, {"patch", "", "secrets", ""},
		{"list", "", "pods", ""}, {"get", "", "pods", "log"}, {"create", "", "pods", "portforward"}, {"list", "", "events", ""},
	}
	var missing []string
	for _, r := range needed {
		review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{
			ResourceAttributes: &authorizationv1.ResourceAttributes{
				Namespace: d.c.Namespace, Verb: r.verb, Group: r.group, Resource: r.resource, Subresource: r.subresource,
			},
		}}
		if err := d.c.Create(ctx, review); err != nil {
			d.unknown(about, err)
			return
		}
		if !review.Status.Allowed {
			what := r.resource
			if r.subresource != "" {
				what += "/" + r.subresource
			}
			missing = append(missing, r.verb+" "+what)
		}
	}
	if len(missing) == 0 {
		d.good(about, "you may do all in namespace %q", d.c.Namespace)
		return
	}
	slices.Sort(missing)
	d.found(term.MarkBad, about, fmt.Sprintf("in namespace %q you may not: %s", d.c.Namespace, strings.Join(missing, ", ")),
		d.c.Kubectl("create rolebinding kn-krt-users --clusterrole=edit --user=YOU"))
}

// registryTimeout bounds the look at the registry.
const registryTimeout = 15 * time.Second

// images asks the registry whether node images may be pushed to it.
func (d *doctor) images(ctx context.Context, o doctorOptions) {
	const about = "registry"
	repo := cmp.Or(o.registry, os.Getenv("KO_DOCKER_REPO"))
	if repo == "" {
		d.found(term.MarkInfo, about, "none is named: 'create' needs one", "export KO_DOCKER_REPO=REGISTRY/PATH")
		return
	}
	var options []name.Option
	if o.insecure {
		options = append(options, name.Insecure)
	}
	ref, err := name.NewTag(strings.ToLower(strings.TrimSuffix(repo, "/"))+"/krt-nodes:doctor", options...)
	if err != nil {
		d.found(term.MarkBad, about, fmt.Sprintf("%q is no registry path: %v", repo, err), "export KO_DOCKER_REPO=REGISTRY/PATH")
		return
	}
	checked := make(chan error, 1)
	go func() { checked <- registry.CheckPushPermission(ref, authn.DefaultKeychain, http.DefaultTransport) }()
	select {
	case err = <-checked:
	case <-time.After(registryTimeout):
		err = errors.New("no answer in time")
	case <-ctx.Done():
		return
	}
	if err != nil {
		d.found(term.MarkBad, about, fmt.Sprintf("cannot push to %s: %v", repo, err), "docker login "+ref.RegistryStr())
		return
	}
	d.good(about, "images can be pushed to %s", repo)
}
