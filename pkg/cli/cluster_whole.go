//go:build !local

package cli

import (
	"github.com/spf13/cobra"

	"krt.dev/kn-krt/pkg/cli/backlog"
	"krt.dev/kn-krt/pkg/cli/doctor"
	"krt.dev/kn-krt/pkg/cli/remote"
	"krt.dev/kn-krt/pkg/cli/term"
	"krt.dev/kn-krt/pkg/cli/warm"
)

// builtFor is what this build has for clusters. With the tag "local" it is nothing, and
// the program is built without Kubernetes' client and ko, in a fraction of the time.
func builtFor() clusterPart {
	return clusterPart{
		about: clusterCodes, examples: clusterExample, group: groupCluster,
		flags: remote.Flags,
		verbs: func(s term.Streams) []*cobra.Command {
			return append(remote.Commands(s), doctor.NewCommand(s), backlog.NewCommand(s, remote.Versions{}),
				warm.NewCommand(s, remote.Versions{}))
		},
		versions: remote.Versions{},
	}
}
