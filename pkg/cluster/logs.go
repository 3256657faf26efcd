package cluster

import (
	"context"

	"krt.dev/kn-krt/pkg/cluster/logs"
)

// Logs reads what the pods of a version have logged until now, in the order of time, and
// returns when all is read. Only pods that exist have logs: a node that is scaled to zero
// has none. Its error is ctx's, or an [*Error]: the pods cannot be listed, or their logs may
// not be read.
func (c *Client) Logs(ctx context.Context, version string, q logs.Query, to logs.Handler) (logs.Sources, error) {
	return logs.Read(ctx, c.logs(), version, q, to)
}

// FollowLogs reads the logs of a version's pods until ctx ends: what the query selects of
// the pods that are running, then their new lines, and all lines of pods and containers that
// start later (see [logs.Follow]). It returns before ctx ends only with an [*Error].
func (c *Client) FollowLogs(ctx context.Context, version string, q logs.Query, to logs.Handler) error {
	return logs.Follow(ctx, c.logs(), version, q, to)
}

func (c *Client) logs() logs.Cluster {
	return logs.Cluster{Kube: c.kube, Config: c.config, Namespace: c.namespace, Timeout: RequestTimeout, Explain: c.explain}
}
