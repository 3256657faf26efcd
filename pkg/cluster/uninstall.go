package cluster

import (
	"context"
	"fmt"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	kwait "k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/cluster/installed"
	"krt.dev/kn-krt/pkg/cluster/response"
	"krt.dev/kn-krt/pkg/render"
)

// Installation is what kn-krt has on a cluster.
type Installation struct {
	// Versions are all versions of the cluster, Published those that are published or are being published
	// or unpublished; each is NAMESPACE/NAME.
	Versions, Published []types.NamespacedName
	// Controlled is true if the controller is available: without it no version is drained.
	Controlled bool
	// Release is the Helm release that the controller belongs to; "" if Helm did not install it.
	Release string
}

// Installation finds out what kn-krt has on the cluster. Versions of all namespaces are listed, which
// takes the rights of a cluster's administrator.
func (c *Client) Installation(ctx context.Context) (Installation, error) {
	var found Installation
	if err := c.listVersions(ctx, &found); err != nil {
		return found, err
	}
	deployment := &appsv1.Deployment{}
	err := c.kube.Get(ctx, client.ObjectKey{Namespace: SystemNamespace, Name: "krt-controller"}, deployment)
	switch {
	case response.UnknownName(err):
		return found, nil
	case err != nil:
		return found, c.explain(err, "cannot read the controller's Deployment")
	}
	found.Controlled, found.Release = deployment.Status.AvailableReplicas > 0, deployment.Annotations["meta.helm.sh/release-name"]
	return found, nil
}

// listVersions lists the versions and what is published; without the kinds there are none.
func (c *Client) listVersions(ctx context.Context, found *Installation) error {
	versions, runtimes := &v1alpha1.VersionList{}, &v1alpha1.RuntimeList{}
	for _, list := range []client.ObjectList{versions, runtimes} {
		if err := c.kube.List(ctx, list); err != nil && !response.UnknownKind(err) {
			return c.explain(err, "cannot list what is installed")
		}
	}
	for i := range versions.Items {
		found.Versions = append(found.Versions, client.ObjectKeyFromObject(&versions.Items[i]))
	}
	for i := range runtimes.Items {
		r := &runtimes.Items[i]
		for _, name := range slices.Compact([]string{r.Spec.PublishedVersion, r.Status.PublishedVersion}) {
			if name != "" {
				found.Published = append(found.Published, types.NamespacedName{Namespace: r.Namespace, Name: name})
			}
		}
	}
	return nil
}

// Release removes the finalizers of the named version, so that its deletion ends although no
// controller drains it: its objects are deleted by their owner references, with the requests in them.
func (c *Client) Release(ctx context.Context, name string) error {
	v := &v1alpha1.Version{}
	if err := c.kube.Get(ctx, c.key(name), v); err != nil {
		if apierrors.IsNotFound(err) {
			return nil
		}
		return c.explainVersion(ctx, "read", name, err)
	}
	before := v.DeepCopy()
	v.Finalizers = nil
	return c.explainVersion(ctx, "change", name, c.kube.Patch(ctx, v, client.MergeFrom(before), fieldOwner))
}

// Uninstall deletes kn-krt's own objects: those that its release has labelled. It keeps its namespace,
// the volumes of the store and the queue, and all Secrets. Delete all versions before: their objects are waited for,
// because Kubernetes does not delete those whose owner's kind it no longer knows. deleted, if not nil,
// is called with each kind and name.
func (c *Client) Uninstall(ctx context.Context, deleted func(kind, name string)) error {
	if err := c.Collected(ctx); err != nil {
		return err
	}
	if err := c.noVersions(ctx); err != nil { // none has come since
		return err
	}
	for _, kind := range installed.Own() {
		list := &unstructured.UnstructuredList{}
		list.SetGroupVersionKind(kind.GroupVersion().WithKind(kind.Kind + "List"))
		ours := client.MatchingLabels{render.LabelPartOf: render.ManagedBy}
		err := c.kube.List(ctx, list, client.InNamespace(installed.NamespaceOf(kind)), ours)
		if response.UnknownKind(err) {
			continue
		}
		if err != nil {
			return c.explain(err, fmt.Sprintf("cannot list objects of kind %s", kind.Kind))
		}
		for i := range list.Items {
			o := &list.Items[i]
			err := c.kube.Delete(ctx, o, client.PropagationPolicy("Background"))
			if client.IgnoreNotFound(err) != nil {
				return c.explain(err, fmt.Sprintf("cannot delete %s %q", kind.Kind, o.GetName()))
			}
			if deleted != nil {
				deleted(kind.Kind, o.GetName())
			}
		}
	}
	return c.gone(ctx, "versions.krt.dev", "runtimes.krt.dev")
}

// collectedTimeout bounds the wait for the objects of deleted versions and runtimes.
const collectedTimeout = 5 * time.Minute

// noVersions returns an error if there is a version.
func (c *Client) noVersions(ctx context.Context) error {
	var found Installation
	if err := c.listVersions(ctx, &found); err != nil || len(found.Versions) == 0 {
		return err
	}
	v := found.Versions[0] // its finalizer would keep it, and its kind, for ever
	return fmt.Errorf("version %q in namespace %q is not deleted, and without the controller its requests could not be drained",
		v.Name, v.Namespace)
}

// Collected deletes all runtimes, once there are no versions, and waits until no object of either is left, for five minutes
// at most.
func (c *Client) Collected(ctx context.Context) error {
	if err := c.noVersions(ctx); err != nil {
		return err
	}
	runtimes := &v1alpha1.RuntimeList{}
	if err := c.kube.List(ctx, runtimes); err != nil && !response.UnknownKind(err) {
		return c.explain(err, "cannot list the runtimes")
	}
	for i := range runtimes.Items {
		if err := client.IgnoreNotFound(c.kube.Delete(ctx, &runtimes.Items[i], client.PropagationPolicy("Background"))); err != nil {
			return c.explain(err, "cannot delete the runtime of namespace "+runtimes.Items[i].Namespace)
		}
	}
	left := ""
	err := kwait.PollUntilContextTimeout(ctx, time.Second, collectedTimeout, true, func(ctx context.Context) (bool, error) {
		now, err := c.left(ctx)
		if err == nil { // else it is not known
			left = now
		}
		return now == "", err
	})
	if err != nil && left != "" {
		return c.explain(err, fmt.Sprintf("cannot wait until %s of a deleted version or runtime is deleted", left))
	}
	return c.explain(err, "cannot wait until the objects of versions are deleted")
}

// left names an object of a version or runtime; empty if there is none.
func (c *Client) left(ctx context.Context) (string, error) {
	for _, kind := range installed.Created() {
		list := &metav1.PartialObjectMetadataList{}
		list.SetGroupVersionKind(kind.GroupVersion().WithKind(kind.Kind + "List"))
		err := c.kube.List(ctx, list, installed.Labelled(kind))
		if err != nil && !response.UnknownKind(err) {
			return "", err
		}
		for i := range list.Items {
			owner := metav1.GetControllerOf(&list.Items[i])
			if owner != nil && owner.APIVersion == v1alpha1.GroupVersion.String() {
				return fmt.Sprintf("%s %s/%s", kind.Kind, list.Items[i].Namespace, list.Items[i].Name), nil
			}
		}
	}
	return "", nil
}

// kindsTimeout bounds the wait for the end of the kinds: the API server deletes their objects first.
const kindsTimeout = time.Minute

// gone waits until kinds no longer exist, so that another installation is not deleted with them.
func (c *Client) gone(ctx context.Context, names ...string) error {
	definition := &unstructured.Unstructured{}
	definition.SetGroupVersionKind(schema.GroupVersionKind{Group: "apiextensions.k8s.io", Version: "v1", Kind: "CustomResourceDefinition"})
	for _, name := range names {
		err := kwait.PollUntilContextTimeout(ctx, 200*time.Millisecond, kindsTimeout, true, func(ctx context.Context) (bool, error) {
			err := c.kube.Get(ctx, client.ObjectKey{Name: name}, definition)
			return apierrors.IsNotFound(err), client.IgnoreNotFound(err)
		})
		if err != nil {
			return c.explain(err, fmt.Sprintf("cannot wait until the kind %s is deleted", name))
		}
	}
	return nil
}
