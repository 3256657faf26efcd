package remote

import (
	"context"
	"time"

	"krt.dev/kn-krt/pkg/cluster"
)

// InstallCommand puts kn-krt on a cluster; it is typed in the sources' folder.
const InstallCommand = "KO_CONFIG_PATH=ko.yaml ko apply -f config/"

// IsUnknownName reports whether the cluster knows the kind, but has no such object.
func IsUnknownName(err error) bool { return cluster.IsUnknownName(err) }

// Explain says what an error of the cluster means, after "doing: ", and what to
// do about it.
func (c *Cluster) Explain(err error, doing string) error { return c.Hint(c.Client.Explain(err, doing)) }

// explainVersion says why a version cannot be read. For an unknown name it
// suggests the nearest.
func (c *Cluster) explainVersion(ctx context.Context, name string, err error) error {
	if !IsUnknownName(err) {
		return c.Explain(err, "cannot read version \""+name+"\"")
	}
	_, err = c.version(ctx, name)
	return err
}

// silence is how long a cluster that has responded before may give no response.
const silence = time.Minute

// pause keeps a cluster that ends watches at once from being asked without a pause.
func pause(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-time.After(200 * time.Millisecond):
	}
}
