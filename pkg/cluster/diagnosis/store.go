package diagnosis

import (
	"context"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"krt.dev/kn-krt/pkg/cluster/response"
	"krt.dev/kn-krt/pkg/render"
)

// store checks whether there is a store for what nodes save. Without one versions
// run, and what they do with ctx.db fails.
func (c *Cluster) store(ctx context.Context) Finding {
	const without = "ctx.db fails, and measurements and predictions are lost"
	f := Finding{Result: Info, Subject: "store"}
	switch c.Settings.StoreURL {
	case render.NoStore:
		f.Text, f.Fix = `there is none (store-url is "none"): ctx.db fails, and measurements and predictions are only logged`, FixSettings
		return f
	case "":
	default:
		return good(f.Subject, "%s, as the settings have it", c.Settings.StoreURL)
	}
	set := &appsv1.StatefulSet{}
	switch err := c.Kube.Get(ctx, client.ObjectKey{Namespace: render.SystemNamespace, Name: render.StoreName}, set); {
	case response.UnknownName(err):
		f.Fix = FixInstall
		f.Text = fmt.Sprintf("there is no StatefulSet %s in namespace %s: %s", render.StoreName, render.SystemNamespace, without)
	case err != nil:
		return unknown(f.Subject, err)
	case set.Status.ReadyReplicas == 0:
		f.Fix, f.Namespace, f.Selector = FixPods, render.SystemNamespace, render.LabelName+"="+render.StoreName
		f.Text = "none of its pods is ready: " + without + "; its volume may have no disk, or its database may not respond"
	default:
		return good(f.Subject, "%d of %s ready", set.Status.ReadyReplicas, counted(int64(set.Status.Replicas), "pod"))
	}
	return f
}
