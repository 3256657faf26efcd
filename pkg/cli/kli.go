package cli

import (
	"github.com/spf13/cobra"
)

// kliVersionVerbs are what the original's command line, kli, has below "version", and
// restart, which who is used to them looks for there.
func kliVersionVerbs() []func(Streams) *cobra.Command {
	return []func(Streams) *cobra.Command{
		newListCommand,
		newCreateCommand,
		newStartCommand,
		newStopCommand,
		newRestartCommand,
		newPublishCommand,
		newUnpublishCommand,
		newConfigCommand,
	}
}

// addKliVersion gives the verb version those that kli has there: each is the one of
// the same name above. A runtime is a namespace.
func addKliVersion(version *cobra.Command, s Streams) {
	for _, verb := range kliVersionVerbs() {
		cmd := verb(s)
		cmd.Hidden = true
		cmd.Flags().StringP("runtime", "r", "", "the namespace to work in, as kli calls it")
		cmd.Flags().StringP("server", "s", "", "of kli; the kubeconfig's context is meant instead")
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

// newKrtCommand is kli's "krt": bundles are made and checked there.
func newKrtCommand(s Streams) *cobra.Command {
	krt := &cobra.Command{
		Use:    "krt",
		Short:  "Make and check bundles, as kli calls it",
		Hidden: true,
		Args:   cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cmd.Help()
			}
			return unknownVerb(cmd, args[0])
		},
	}
	o := packOptions{streams: s}
	krt.AddCommand(&cobra.Command{
		Use:     "create DIR FILE",
		Short:   "Make a version's folder one .krt file",
		Example: `  kn-krt krt create my-version my-version.krt`,
		Args:    arguments(cobra.ExactArgs(2)),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.program, o.dir, o.output = cmd.Root().DisplayName(), args[0], args[1]
			return runPack(cmd.Context(), o)
		},
	}, newValidateCommand(s))
	return krt
}
