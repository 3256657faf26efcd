package version

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/apply"
	"krt.dev/kn-krt/pkg/queue"
	"krt.dev/kn-krt/pkg/render"
)

// keepContent decides which configuration the entrypoint of a live version has. A Deployment that another kn-krt has
// made of the same stays as it is, and so does the ConfigMap that its pods mount, which is returned: ours, which none
// would mount, is not written. If that ConfigMap is gone, no pod of the Deployment can start any more, and only who has
// made it knows what was in it: the Deployment is written anew, with ours, which is for the same entrypoint.
func (r *reconciler) keepContent(
	ctx context.Context, want desired, have current, items []item,
) (kept []item, inUse []client.Object, err error) {
	at := slices.IndexFunc(items, func(i item) bool { return isDeployment(i.object) })
	if !want.live || have.deployment == nil || at < 0 {
		return items, nil, nil
	}
	deployment := items[at].object.(*appsv1.Deployment)
	ours, name := render.MountedContent(deployment), render.MountedContent(have.deployment)
	alike := have.deployment.Annotations[apply.MadeAnnotation] == deployment.Annotations[apply.MadeAnnotation]
	if !alike || name == "" || name == ours {
		return items, nil, nil
	}
	m, err := r.mounted(ctx, want.version, name)
	switch {
	case err != nil:
		return nil, nil, err
	case m == nil:
		items[at].anew = true
		return items, nil, nil
	}
	isOurs := func(i item) bool { return isContent(want.version, i.object) && i.object.GetName() == ours }
	return slices.DeleteFunc(items, isOurs), []client.Object{m}, nil
}

// mounted reads a ConfigMap of the version's that pods mount; nil if it is gone. The cache may have the Deployment that
// names it earlier.
func (r *reconciler) mounted(ctx context.Context, v *v1alpha1.Version, name string) (*corev1.ConfigMap, error) {
	m := &corev1.ConfigMap{}
	if found, err := r.readOwned(ctx, v, name, m); err != nil || found {
		return m, err
	}
	err := r.live.Get(ctx, types.NamespacedName{Namespace: v.Namespace, Name: name}, m)
	if err != nil || !isOwned(v, m) {
		return nil, client.IgnoreNotFound(err)
	}
	return m, nil
}

// fetchedSteps are the steps of which the entrypoints that run fetch events. Their configurations have them, and not the
// spec, which may be that of the next start already: a version that stops can be edited. The error is why they are not
// known.
func (r *reconciler) fetchedSteps(
	ctx context.Context, v *v1alpha1.Version, d *appsv1.Deployment, now time.Time,
) (steps []queue.Step, err error) {
	pods, err := r.pods(ctx, v)
	if err != nil {
		return nil, err
	}
	if steps, err = r.stepsOf(ctx, v, render.MountedContent(d)); err != nil {
		return nil, err
	}
	for _, p := range pods {
		if !isOfBefore(p, d, now) {
			continue
		}
		// d has been changed, and this one runs until those that are to follow it are ready. What it mounts is not cached.
		own := render.ContentName(v.Name, p.Annotations[render.AnnotationContentHash])
		of, err := r.stepsOf(ctx, v, own, render.EntrypointName(v.Name)) // the latter if an older kn-krt has made it
		if err != nil {
			return nil, err
		}
		steps = append(steps, of...)
	}
	return steps, nil
}

// stepsOf are the steps of the first of the named configurations that exists. That none does is an error.
func (r *reconciler) stepsOf(ctx context.Context, v *v1alpha1.Version, names ...string) ([]queue.Step, error) {
	for _, name := range names {
		m, err := r.mounted(ctx, v, name)
		switch {
		case err != nil:
			return nil, err
		case m != nil:
			return render.ContentSteps(m)
		}
	}
	return nil, fmt.Errorf("ConfigMap %q, which pods of the entrypoint mount, does not exist", names[0])
}

// isContent reports whether an object is a ConfigMap with one configuration of the version's entrypoint. One that is
// not kept is of no use, unless pods of before may still mount it.
func isContent(v *v1alpha1.Version, o client.Object) bool {
	_, isMap := o.(*corev1.ConfigMap)
	return isMap && strings.HasPrefix(o.GetName(), render.ContentName(v.Name, ""))
}
