package diagnosis

import (
	"context"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/cluster/response"
	"krt.dev/kn-krt/pkg/render"
)

// queue checks whether there is a queue for versions with durable delivery. One that the settings name is
// reached from inside the cluster only: a version reports what is wrong with it.
func (c *Cluster) queue(ctx context.Context) Finding {
	f := Finding{Result: Info, Subject: "queue"}
	needs, err := c.durable(ctx)
	if err != nil {
		return unknown(f.Subject, err)
	}
	for i := range needs {
		if why := needs[i].QueueProblem(); why != "" {
			f.Text = fmt.Sprintf("version %q: %s", needs[i].Name, why)
			break
		}
	}
	if c.Settings.QueueURL != "" {
		if f.Text == "" {
			return good(f.Subject, "%s, as the settings have it", c.Settings.QueueURL)
		}
		f.Fix = FixSettings
		return f
	}
	set := &appsv1.StatefulSet{}
	switch err := c.Kube.Get(ctx, client.ObjectKey{Namespace: render.SystemNamespace, Name: render.QueueName}, set); {
	case response.UnknownName(err) && len(needs) == 0:
		return good(f.Subject, "there is none: versions with delivery Durable would need it, and there are none in namespace %q", c.Namespace)
	case response.UnknownName(err):
		f.Fix = FixInstallQueue
		f.Text = fmt.Sprintf("there is no StatefulSet %s in namespace %s: version %q, whose delivery is Durable, accepts nothing",
			render.QueueName, render.SystemNamespace, needs[0].Name)
	case err != nil:
		return unknown(f.Subject, err)
	case set.Status.ReadyReplicas == 0:
		f.Fix, f.Namespace, f.Selector = FixPods, render.SystemNamespace, render.LabelName+"="+render.QueueName
		f.Text = "none of its pods is ready: versions with delivery Durable accept nothing; its volume may have no disk"
	case f.Text == "":
		return good(f.Subject, "%d of %s ready", set.Status.ReadyReplicas, counted(int64(set.Status.Replicas), "pod"))
	}
	return f
}

// durable are the started versions of the namespace with durable delivery.
func (c *Cluster) durable(ctx context.Context) (all []v1alpha1.Version, err error) {
	var list v1alpha1.VersionList
	if err := c.Kube.List(ctx, &list, client.InNamespace(c.Namespace)); err != nil && !response.UnknownKind(err) {
		return nil, err
	}
	for i := range list.Items {
		if v := &list.Items[i]; v.Delivery() == v1alpha1.DeliveryDurable && v.WantedState() == v1alpha1.StateStarted {
			all = append(all, *v)
		}
	}
	return all, nil
}
