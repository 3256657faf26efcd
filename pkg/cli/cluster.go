package cli

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"krt.dev/kn-krt/pkg/cli/call"
	"krt.dev/kn-krt/pkg/cli/letters"
	"krt.dev/kn-krt/pkg/cli/local"
	"krt.dev/kn-krt/pkg/cli/requests"
	"krt.dev/kn-krt/pkg/cli/saved"
	"krt.dev/kn-krt/pkg/cli/term"
	"krt.dev/kn-krt/pkg/inspection"
)

// clusterPart is what a build of the program has for versions on a cluster.
type clusterPart struct {
	// about is added to the root's help, from the exit codes of clusters on; examples to its examples; group is where the verbs are listed.
	about, examples, group string
	flags                  func(root *cobra.Command)
	verbs                  func(s term.Streams) []*cobra.Command
	versions               versions
}

// versions is how what runs on a cluster is reached, and what it has saved.
type versions interface {
	call.Versions
	saved.Cluster
	letters.Versions
}

// errLocalOnly is returned for a cluster by a program built with the tag "local".
var errLocalOnly = errors.New("this kn-krt was built for local runs only and cannot use a cluster")

func localOnly() error {
	return term.WithHint(errLocalOnly, "Build the whole program, bin/kn-krt, with 'make build' in the sources of kn-krt.")
}

// noCluster is the part of a program for local runs only: its verbs return errLocalOnly.
func noCluster() clusterPart {
	return clusterPart{
		about: "130 interrupted.\n\nThis program was built for local runs only. It has no commands for a cluster.",
		flags: func(*cobra.Command) {},
		verbs: func(s term.Streams) []*cobra.Command {
			verbs := make([]*cobra.Command, len(clusterVerbs()))
			for i, name := range clusterVerbs() {
				if name == "doctor" {
					verbs[i] = newLocalDoctor(s)
					continue
				}
				verbs[i] = &cobra.Command{
					Use:                name,
					Short:              "Not part of this program",
					Hidden:             true,
					DisableFlagParsing: true,
					RunE:               func(*cobra.Command, []string) error { return localOnly() },
				}
			}
			return verbs
		},
		versions: noVersions{},
	}
}

// newLocalDoctor is the verb doctor, which checks this machine only.
func newLocalDoctor(s term.Streams) *cobra.Command {
	machine, output := false, ""
	cmd := &cobra.Command{
		Use:   "doctor --local",
		Short: "Check whether this machine can run versions",
		Long: `Check whether this machine can run versions: Go, Python, ports, folders, the clock, and
whether changed files can be noticed.

++ good, !! no version can run,  I some versions cannot run. Exits 1 if there is any !!.`,
		Example: "  kn-krt doctor --local",
		Args:    term.Arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !machine {
				return localOnly()
			}
			return local.Diagnose(cmd.Context(), s, cmd.Root().DisplayName(), output)
		},
	}
	cmd.Flags().BoolVar(&machine, "local", false, "check this machine")
	term.OutputFlag(cmd, &output)
	return cmd
}

// clusterVerbs are the verbs that a program for local runs only does not have.
func clusterVerbs() []string {
	return []string{
		"abort", "config", "create", "dashboard", "delete", "describe", "doctor", "events", "graph", "list", "logs", "pause",
		"promote", "publish", "queue", "render", "restart", "resume", "rollback", "start", "stop", "traffic", "uninstall",
		"unpublish", "wait", "warm",
	}
}

// noVersions is [versions] without any.
type noVersions struct{}

// Flags adds the flag that names a place on a cluster, hidden, so that its use is explained.
func (noVersions) Flags(cmd *cobra.Command) {
	cmd.Flags().StringP("namespace", "n", "", "")
	_ = cmd.Flags().MarkHidden("namespace") // added just above
}

// Named reports whether that flag was given.
func (noVersions) Named(cmd *cobra.Command) bool { return cmd.Flag("namespace").Changed }

// Reach returns errLocalOnly.
func (noVersions) Reach(*cobra.Command, string) (string, func(), error) { return "", nil, localOnly() }

// ReachWeb implements [call.Versions].
func (noVersions) ReachWeb(*cobra.Command, string) (requests.Web, error) {
	return requests.Web{}, localOnly()
}

// Requests returns errLocalOnly.
func (noVersions) Requests(*cobra.Command, string, inspection.Filter) (*requests.Running, error) {
	return nil, localOnly()
}

// Data returns errLocalOnly.
func (noVersions) Data(*cobra.Command) (*saved.Place, error) { return nil, localOnly() }

// Inspect implements [letters.Versions].
func (noVersions) Inspect(*cobra.Command, string, func(context.Context, *inspection.Client) error) error {
	return localOnly()
}

// CompleteNames suggests nothing.
func (noVersions) CompleteNames(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return nil, cobra.ShellCompDirectiveNoFileComp
}

// Complete suggests nothing.
func (noVersions) Complete(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return nil, cobra.ShellCompDirectiveNoFileComp
}
