package inventory

import (
	"context"

	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
)

// Setup has the manager serve the inventory at its /metrics, once it is the leader: of
// several replicas one reports. The registry belongs to the process, so of several managers
// in one process the first one reports.
func Setup(mgr manager.Manager) error {
	return mgr.Add(manager.RunnableFunc(func(ctx context.Context) error {
		i := New(mgr.GetCache())
		if err := metrics.Registry.Register(i); err != nil {
			return nil //nolint:nilerr // another manager of this process reports
		}
		<-ctx.Done()
		metrics.Registry.Unregister(i)
		return nil
	}))
}
