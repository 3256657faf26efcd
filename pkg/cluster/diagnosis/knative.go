package diagnosis

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"krt.dev/kn-krt/pkg/cluster/response"
	"krt.dev/kn-krt/pkg/knative"
	"krt.dev/kn-krt/pkg/render"
)

// definition returns what is known of a CustomResourceDefinition; nil if there is none.
func (c *Cluster) definition(ctx context.Context, name string) (*metav1.PartialObjectMetadata, error) {
	definition := &metav1.PartialObjectMetadata{}
	definition.SetGroupVersionKind(schema.GroupVersionKind{Group: "apiextensions.k8s.io", Version: "v1", Kind: "CustomResourceDefinition"})
	err := c.Kube.Get(ctx, client.ObjectKey{Name: name}, definition)
	if response.UnknownName(err) {
		return nil, nil // no definition is a result
	}
	return definition, err
}

// definitionOf is [Cluster.definition] of a kind.
func (c *Cluster) definitionOf(ctx context.Context, kind schema.GroupVersionKind) (*metav1.PartialObjectMetadata, error) {
	plural, _ := meta.UnsafeGuessKindToResource(kind)
	return c.definition(ctx, plural.GroupResource().String())
}

// eventingNamespace is where Knative Eventing runs.
const eventingNamespace = "knative-eventing"

// half is one of the two halves of Knative.
type half struct {
	name, namespace string
	kind            schema.GroupVersionKind // is there if it is installed
	install         Fix
}

func (c *Cluster) serving(ctx context.Context) Finding {
	return c.knative(ctx, half{"Knative Serving", render.FeaturesNamespace, render.ServingKind(), FixInstallServing})
}

func (c *Cluster) eventing(ctx context.Context) Finding {
	return c.knative(ctx, half{"Knative Eventing", eventingNamespace, render.EventingKind(), FixInstallEventing})
}

// knative checks whether one half of Knative is installed and all of it runs.
func (c *Cluster) knative(ctx context.Context, h half) Finding {
	bad := Finding{Result: Bad, Subject: h.name, Fix: h.install}
	definition, err := c.definitionOf(ctx, h.kind)
	switch {
	case err != nil:
		return unknown(h.name, err)
	case definition == nil:
		bad.Text = "is not installed"
		return bad
	}
	version := cmp.Or(definition.Labels[knative.VersionLabel], "of an unknown version")
	var deployments appsv1.DeploymentList
	if err := c.Kube.List(ctx, &deployments, client.InNamespace(h.namespace)); err != nil {
		return unknown(h.name, err)
	}
	for i := range deployments.Items {
		deployment := &deployments.Items[i]
		if wanted := deployment.Spec.Replicas; (wanted == nil || *wanted > 0) && deployment.Status.AvailableReplicas == 0 {
			bad.Text = fmt.Sprintf("%s: no pod of Deployment %q is available", version, deployment.Name)
			bad.Fix, bad.Namespace, bad.Selector = FixPods, h.namespace, "app="+deployment.Name
			return bad
		}
	}
	if len(deployments.Items) == 0 {
		bad.Text = fmt.Sprintf("%s: there are no Deployments in namespace %s", version, h.namespace)
		return bad
	}
	if made := strings.Join(knative.Supported(), " and "); knative.Unsupported(version) {
		return Finding{Result: Info, Subject: h.name,
			Text: fmt.Sprintf("%s, all Deployments are available, but this kn-krt is made for %s: change one of them", version, made)}
	}
	return good(h.name, "%s, all Deployments are available", version)
}

// features checks Knative's flags that allow a node to choose the machines it runs on.
func (c *Cluster) features(ctx context.Context) Finding {
	const subject = "features"
	config := &corev1.ConfigMap{}
	err := c.Kube.Get(ctx, client.ObjectKey{Namespace: render.FeaturesNamespace, Name: render.FeaturesName}, config)
	if err != nil && !response.UnknownName(err) {
		return unknown(subject, err)
	}
	var off []string
	for _, flag := range render.GPUFeatures() {
		if !render.FlagOn(config.Data[flag]) {
			off = append(off, flag)
		}
	}
	if len(off) == 0 {
		return good(subject, "Knative's flags for nodes with a GPU are enabled")
	}
	return Finding{
		Result: Info, Subject: subject, Fix: FixFeatures, Features: off,
		Text: "nodes with a GPU cannot run; disabled in Knative: " + strings.Join(off, ", "),
	}
}

// patience checks whether Knative waits for machines that an autoscaler is yet to add.
func (c *Cluster) patience(ctx context.Context) Finding {
	const subject = "GPU pools"
	config := &corev1.ConfigMap{}
	err := c.Kube.Get(ctx, client.ObjectKey{Namespace: render.FeaturesNamespace, Name: render.DeploymentName}, config)
	if err != nil && !response.UnknownName(err) {
		return unknown(subject, err)
	}
	if strings.EqualFold(config.Data[render.AlwaysSchedulable], "true") {
		return good(subject, "Knative waits for machines that are yet to be added (%s)", render.AlwaysSchedulable)
	}
	return Finding{
		Result: Info, Subject: subject, Fix: FixSchedulable,
		Text: fmt.Sprintf("Knative marks a Revision as failed while no machine can run its pod (%s is not true): "+
			"nodes with a GPU from a pool at zero are not ready meanwhile", render.AlwaysSchedulable),
	}
}
