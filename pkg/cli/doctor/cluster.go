package doctor

import (
	"cmp"
	"context"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"krt.dev/kn-krt/pkg/cli/remote"
	"krt.dev/kn-krt/pkg/cli/term"
	"krt.dev/kn-krt/pkg/render"
)

// testedKnative is the Knative that kn-krt is tested on.
const testedKnative = "1.23"

// cluster asks for the cluster's version: the first thing that must have an answer.
func (d *doctor) cluster(context.Context) error {
	asked, err := discovery.NewDiscoveryClientForConfig(d.c.Config)
	if err != nil {
		return d.c.Explain(err, "cannot look at the cluster")
	}
	version, err := asked.ServerVersion()
	if err != nil {
		return d.c.Explain(err, "cannot look at the cluster")
	}
	d.good("cluster", "Kubernetes %s at %s", version.GitVersion, d.c.Config.Host)
	return nil
}

// crd reads what a kind's definition says of itself; nil if there is none.
func (d *doctor) crd(ctx context.Context, name string) (*metav1.PartialObjectMetadata, error) {
	crd := &metav1.PartialObjectMetadata{}
	crd.SetGroupVersionKind(schema.GroupVersionKind{Group: "apiextensions.k8s.io", Version: "v1", Kind: "CustomResourceDefinition"})
	err := d.c.Get(ctx, client.ObjectKey{Name: name}, crd)
	if remote.IsUnknownName(err) {
		return nil, nil //nolint:nilnil // no definition is an answer
	}
	return crd, err
}

func (d *doctor) kinds(ctx context.Context) {
	const about = "kinds"
	for _, name := range []string{"versions.krt.dev", "runtimes.krt.dev"} {
		switch crd, err := d.crd(ctx, name); {
		case err != nil:
			d.unknown(about, err)
			return
		case crd == nil:
			d.found(term.MarkBad, about, fmt.Sprintf("the cluster does not know %s: kn-krt is not installed", name), remote.InstallCommand)
			return
		}
	}
	d.good(about, "Version and Runtime of krt.dev are known")
}

func (d *doctor) controller(ctx context.Context) {
	const about, name = "controller", "krt-controller"
	deployment := &appsv1.Deployment{}
	switch err := d.c.Get(ctx, client.ObjectKey{Namespace: remote.SystemNamespace, Name: name}, deployment); {
	case remote.IsUnknownName(err):
		d.found(term.MarkBad, about, fmt.Sprintf("there is no Deployment %s in %s", name, remote.SystemNamespace), remote.InstallCommand)
	case err != nil:
		d.unknown(about, err)
	case deployment.Status.AvailableReplicas == 0:
		d.found(term.MarkBad, about, "no pod of it is available", fmt.Sprintf("kubectl -n %s describe pods -l app.kubernetes.io/name=%s", remote.SystemNamespace, name))
	default:
		d.good(about, "%d of %s available", deployment.Status.AvailableReplicas, term.Count(int(deployment.Status.Replicas), "pod"))
	}
}

func (d *doctor) serving(ctx context.Context) {
	d.knative(ctx, "Serving", "services.serving.knative.dev", "knative-serving",
		"kubectl apply -f https://github.com/knative/serving/releases/latest/download/serving-crds.yaml -f https://github.com/knative/serving/releases/latest/download/serving-core.yaml")
}

func (d *doctor) eventing(ctx context.Context) {
	d.knative(ctx, "Eventing", "sequences.flows.knative.dev", "knative-eventing",
		"kubectl apply -f https://github.com/knative/eventing/releases/latest/download/eventing-crds.yaml -f https://github.com/knative/eventing/releases/latest/download/eventing-core.yaml")
}

// knative looks at one half of Knative: its kinds, then whether all of it runs.
func (d *doctor) knative(ctx context.Context, half, crdName, namespace, install string) {
	about := "Knative " + half
	crd, err := d.crd(ctx, crdName)
	switch {
	case err != nil:
		d.unknown(about, err)
		return
	case crd == nil:
		d.found(term.MarkBad, about, "is not installed", install)
		return
	}
	version := cmp.Or(crd.Labels["app.kubernetes.io/version"], "of an unknown version")
	var deployments appsv1.DeploymentList
	if err := d.c.List(ctx, &deployments, client.InNamespace(namespace)); err != nil {
		d.unknown(about, err)
		return
	}
	for _, deployment := range deployments.Items {
		if wanted := deployment.Spec.Replicas; (wanted == nil || *wanted > 0) && deployment.Status.AvailableReplicas == 0 {
			d.found(term.MarkBad, about, fmt.Sprintf("%s: no pod of %q is available", version, deployment.Name),
				fmt.Sprintf("kubectl -n %s describe pods -l app=%s", namespace, deployment.Name))
			return
		}
	}
	if len(deployments.Items) == 0 {
		d.found(term.MarkBad, about, fmt.Sprintf("%s: nothing of it runs in namespace %s", version, namespace), install)
		return
	}
	d.good(about, "%s, all of it runs (tested with %s)", version, testedKnative)
}

// settings looks at config-krt.
func (d *doctor) settings(ctx context.Context) {
	const about = "settings"
	edit := fmt.Sprintf("kubectl -n %s edit configmap %s", remote.SystemNamespace, render.SettingsName)
	settings, found, err := d.c.Settings(ctx)
	switch {
	case !found && err == nil:
		d.found(term.MarkInfo, about, fmt.Sprintf("there is no ConfigMap %s in %s: defaults hold", render.SettingsName, remote.SystemNamespace), remote.InstallCommand)
	case !found:
		d.unknown(about, err)
	case err != nil:
		d.found(term.MarkBad, about, err.Error(), edit)
	case len(settings.BaseImages) == 0:
		d.found(term.MarkInfo, about, "no base images are set: nodes are built on public ones", edit)
	default:
		d.good(about, "%s", term.Count(len(settings.BaseImages), "base image"))
	}
}

// channel looks at whether the channels between steps can be made.
func (d *doctor) channel(ctx context.Context) {
	const about = "channels"
	settings, _, _ := d.c.Settings(ctx) // what is wrong with them is told already
	kind := schema.FromAPIVersionAndKind(settings.ChannelTemplate.APIVersion, settings.ChannelTemplate.Kind)
	plural, _ := meta.UnsafeGuessKindToResource(kind)
	switch crd, err := d.crd(ctx, plural.GroupResource().String()); {
	case err != nil:
		d.unknown(about, err)
	case crd == nil:
		d.found(term.MarkBad, about, fmt.Sprintf("the cluster does not know %s, which %s names", kind.Kind, render.SettingsName),
			fmt.Sprintf("kubectl -n %s edit configmap %s", remote.SystemNamespace, render.SettingsName))
	case kind.Kind == "InMemoryChannel":
		d.good(about, "%s: events do not outlive its pods", kind.Kind)
	default:
		d.good(about, "%s", kind.Kind)
	}
}
