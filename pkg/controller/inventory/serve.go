package inventory

import (
	"context"

	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
)

// Setup has the manager report the release of Knative and, if it serves metrics, the inventory at its
// /metrics, once it is the leader: of several replicas one reports. The registry belongs to the process,
// so of several managers in one process the first one reports.
func Setup(mgr manager.Manager, serves bool) error {
	return mgr.Add(manager.RunnableFunc(func(ctx context.Context) error {
		i, k := New(mgr.GetCache()), NewKnative(mgr.GetAPIReader())
		if serves && metrics.Registry.Register(i) == nil { // else another manager of this process reports
			defer metrics.Registry.Unregister(i)
			metrics.Registry.MustRegister(k.info)
			defer metrics.Registry.Unregister(k.info)
		}
		return k.Watch(ctx)
	}))
}
