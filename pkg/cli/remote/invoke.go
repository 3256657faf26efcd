package remote

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"krt.dev/kn-krt/pkg/cli/requests"
	"krt.dev/kn-krt/pkg/cli/term"
	"krt.dev/kn-krt/pkg/cluster"
)

// Versions is how invoke and requests reach the versions of a cluster: it implements [call.Versions].
type Versions struct{}

// Flags gives cmd the flag -n.
func (Versions) Flags(cmd *cobra.Command) { NamespaceFlag(cmd) }

// Named reports whether a flag that names a place on a cluster was given.
func (Versions) Named(cmd *cobra.Command) bool {
	for _, name := range append(globalFlags(), "namespace") {
		if f := cmd.Flag(name); f != nil && f.Changed {
			return true
		}
	}
	return false
}

// Reach forwards a port of this machine to the entrypoint of the version, or of the
// published one.
func (Versions) Reach(cmd *cobra.Command, version string) (address string, release func(), err error) {
	to, err := reach(cmd, version, cluster.GRPCPort)
	return to.Address, to.Release, err
}

// ReachWeb does so for the web port.
func (Versions) ReachWeb(cmd *cobra.Command, version string) (requests.Web, error) {
	return reach(cmd, version, cluster.WebPort)
}

func reach(cmd *cobra.Command, version string, port int) (to requests.Web, err error) {
	err = connected(cmd, func(ctx context.Context, c *Cluster) error {
		if version, err = c.orPublished(ctx, version, "invoke VERSION WORKFLOW"); err != nil {
			return err
		}
		forward, err := c.Forward(ctx, version, port)
		if err != nil {
			return err
		}
		to = requests.Web{Address: forward.Address, Release: forward.Close, Result: c.command("result %s", version)}
		return nil
	})
	return to, err
}

// Complete suggests versions, then the workflows of the one that is named.
func (Versions) Complete(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	if len(args) == 0 {
		return completeVersions(1)(cmd, args, typed)
	}
	return completeNames(versionWorkflows)(cmd, args, typed)
}

// orPublished is the version, or the one that is published in the namespace if it is "". verb is what to
// type with another one.
func (c *Cluster) orPublished(ctx context.Context, version, verb string) (string, error) {
	if version != "" {
		return version, nil
	}
	r, err := c.Runtime(ctx)
	if err != nil {
		return "", err
	}
	if r == nil || r.Status.PublishedVersion == "" {
		return "", term.FailAs(term.ExitNotFound, fmt.Errorf("no version is published in namespace %q", c.Namespace()),
			"Name the version: '%s'.", c.command("%s", verb))
	}
	return r.Status.PublishedVersion, nil
}
