package remote

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/cli/requests"
	"krt.dev/kn-krt/pkg/cli/warm"
	"krt.dev/kn-krt/pkg/cluster"
	"krt.dev/kn-krt/pkg/cluster/backlog"
	"krt.dev/kn-krt/pkg/cluster/logs"
	"krt.dev/kn-krt/pkg/inspection"
	"krt.dev/kn-krt/pkg/legible"
)

// Requests reaches the requests of the version, or of the published one: with Complete it makes
// Versions a [requests.Versions].
func (Versions) Requests(cmd *cobra.Command, version string, f inspection.Filter) (from *requests.Running, err error) {
	err = connected(cmd, func(ctx context.Context, c *Cluster) error {
		if version, err = c.orPublished(ctx, version, "requests VERSION"); err != nil {
			return err
		}
		v, err := c.Get(ctx, version)
		if err != nil {
			return err
		}
		if err := checkFilter(v, f); err != nil {
			return err
		}
		warn := func(e *cluster.ReplicaError) {
			next := ""
			if e.Retrying {
				next = "; trying again"
			}
			fmt.Fprintf(cmd.ErrOrStderr(), "Warning: %s%s\n", legible.Printable(e.Error()), next)
		}
		from = &requests.Running{
			Source: versionRequests{c, c.Requests(version, warn)},
			Show:   c.command("requests %s", version),
			Unkept: c.Place().Unkept(v),
		}
		return nil
	})
	return from, err
}

// Inspect calls f with the inspection port of an entrypoint of the version, or of the published one.
func (Versions) Inspect(cmd *cobra.Command, version string, f func(context.Context, *inspection.Client) error) error {
	return connected(cmd, func(ctx context.Context, c *Cluster) (err error) {
		if version, err = c.orPublished(ctx, version, cmd.Name()+" VERSION"); err != nil {
			return err
		}
		return c.Requests(version, nil).One(ctx, f)
	})
}

// Queue calls f with the inspection port of an entrypoint of the version, or of the published one, if that
// has a queue.
func (Versions) Queue(cmd *cobra.Command, version string, f func(context.Context, *inspection.Client) error) error {
	return connected(cmd, func(ctx context.Context, c *Cluster) (err error) {
		if version, err = c.orPublished(ctx, version, cmd.Name()+" VERSION"); err != nil {
			return err
		}
		return backlog.Reach(ctx, c.Client, version, f)
	})
}

// Warm asks for the nodes of the version, or of the published one, to be kept up until then, and calls watch with what
// reads it.
func (Versions) Warm(cmd *cobra.Command, version string, until time.Time, watch func(context.Context, warm.Read) error) error {
	return connected(cmd, func(ctx context.Context, c *Cluster) (err error) {
		if version, err = c.orPublished(ctx, version, "warm VERSION"); err != nil {
			return err
		}
		if err := c.Warm(ctx, version, until); err != nil {
			return err
		}
		return watch(ctx, func(ctx context.Context) (*v1alpha1.Version, error) { return c.Get(ctx, version) })
	})
}

// CompleteNames suggests the nodes or workflows of the version that is named.
func (Versions) CompleteNames(cmd *cobra.Command, args []string, kind string) ([]string, cobra.ShellCompDirective) {
	pick := versionNodes
	if kind == "workflow" {
		pick = versionWorkflows
	}
	return completeNames(pick)(cmd, args, "")
}

func checkFilter(v *v1alpha1.Version, f inspection.Filter) error {
	var nodes []string
	if f.Node != "" {
		nodes = append(nodes, f.Node)
	}
	return logs.CheckNames(v, nodes, f.Workflow)
}

// versionRequests are the requests of a version on a cluster, whose errors have hints.
type versionRequests struct {
	c    *Cluster
	from *cluster.Requests
}

// List implements [requests.Source].
func (r versionRequests) List(ctx context.Context, f inspection.Filter) ([]inspection.Request, error) {
	list, err := r.from.List(ctx, f)
	return list, r.c.Hint(err)
}

// Get implements [requests.Source].
func (r versionRequests) Get(ctx context.Context, id string) (*inspection.Request, error) {
	one, err := r.from.Get(ctx, id)
	return one, r.c.Hint(err)
}

// Follow implements [requests.Source].
func (r versionRequests) Follow(ctx context.Context, f inspection.Filter, each func(inspection.Line) error) error {
	return r.c.Hint(r.from.Follow(ctx, f, each))
}
