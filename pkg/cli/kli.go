package cli

import (
	"slices"

	"github.com/spf13/cobra"

	"krt.dev/kn-krt/pkg/cli/bundle"
	"krt.dev/kn-krt/pkg/cli/term"
)

// kliVersionVerbs are the verbs that kli, the original's command line, has below
// "version", and restart, which users of kli expect there.
func kliVersionVerbs() []string {
	return []string{"list", "create", "start", "stop", "restart", "publish", "unpublish", "config"}
}

// addKliVersion gives the verb version the subcommands that kli has there; each works
// like the verb of the same name. What kli calls a runtime is a namespace.
func addKliVersion(version *cobra.Command, verbs []*cobra.Command) {
	for _, cmd := range verbs {
		if !slices.Contains(kliVersionVerbs(), cmd.Name()) {
			continue
		}
		cmd.Hidden = true
		cmd.Flags().StringP("runtime", "r", "", "the namespace to work in (a flag of kli)")
		cmd.Flags().StringP("server", "s", "", "ignored (a flag of kli); the kubeconfig's context names the cluster")
		// The flags were added just above, so these cannot fail.
		_ = cmd.Flags().MarkHidden("runtime")
		_ = cmd.Flags().MarkHidden("server")
		cmd.PreRunE = func(cmd *cobra.Command, _ []string) error {
			if runtime := cmd.Flag("runtime"); runtime.Changed && !cmd.Flag("namespace").Changed {
				return cmd.Flags().Set("namespace", runtime.Value.String())
			}
			return nil
		}
		version.AddCommand(cmd)
	}
}

// newKrtCommand is kli's "krt", which creates and checks bundles.
func newKrtCommand(s term.Streams) *cobra.Command {
	krt := &cobra.Command{
		Use:    "krt",
		Short:  "Create and check bundles, by kli's names",
		Hidden: true,
		Args:   cobra.ArbitraryArgs,
		RunE:   helpOrUnknown,
	}
	krt.AddCommand(bundle.NewKliCreateCommand(s), bundle.NewValidateCommand(s))
	return krt
}
