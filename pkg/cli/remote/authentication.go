package remote

import (
	"fmt"

	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/krt/untrusted"
)

// maxAuthentication is how large a file with an authentication may be, in bytes.
const maxAuthentication = 1 << 20

// authenticationFlag is the flag --authentication.
type authenticationFlag struct {
	path           string
	authentication *v1alpha1.Authentication // nil: the flag was not given
}

func (a *authenticationFlag) addTo(cmd *cobra.Command) {
	cmd.Flags().StringVar(&a.path, "authentication", "",
		"file (YAML) with spec.entrypoint.authentication of the version: how clients must authenticate (default: they need not)")
}

// read reads the file that the flag names. Its rules are checked by the cluster.
func (a *authenticationFlag) read() error {
	if a.path == "" {
		return nil
	}
	text, err := untrusted.ReadPath(a.path, maxAuthentication)
	if err == nil {
		a.authentication = &v1alpha1.Authentication{}
		err = yaml.UnmarshalStrict(text, a.authentication)
	}
	if err != nil {
		return fmt.Errorf("cannot read the authentication in %s: %w", a.path, err)
	}
	return nil
}
