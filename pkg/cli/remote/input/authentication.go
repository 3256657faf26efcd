// Package input reads what a version is created with, besides its bundle: values of its config and
// how its clients must authenticate.
package input

import (
	"fmt"

	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/krt/untrusted"
)

// maxAuthentication is how large a file with an authentication may be, in bytes.
const maxAuthentication = 1 << 20

// Authentication is the flag --authentication.
type Authentication struct {
	// Given is what the file has; nil: the flag was not given.
	Given *v1alpha1.Authentication
	path  string
}

// AddTo adds the flag to the command.
func (a *Authentication) AddTo(cmd *cobra.Command) {
	cmd.Flags().StringVar(&a.path, "authentication", "",
		"file (YAML) with spec.entrypoint.authentication of the version: how clients must authenticate (default: they need not)")
}

// Read reads the file that the flag names. Its rules are checked by the cluster.
func (a *Authentication) Read() error {
	if a.path == "" {
		return nil
	}
	text, err := untrusted.ReadPath(a.path, maxAuthentication)
	if err == nil {
		a.Given = &v1alpha1.Authentication{}
		err = yaml.UnmarshalStrict(text, a.Given)
	}
	if err != nil {
		return fmt.Errorf("cannot read the authentication in %s: %w", a.path, err)
	}
	return nil
}
