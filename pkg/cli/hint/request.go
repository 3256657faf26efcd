package hint

import (
	"fmt"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
)

// Unkept is what to do so that messages of the version's requests are kept.
func (p Place) Unkept(v *v1alpha1.Version) string {
	if v.Spec.Entrypoint.Inspect == nil {
		return fmt.Sprintf("Add 'inspect: {}' below 'entrypoint:' in krt.yml, give it a name of its own (version:), and create it: '%s'.",
			p.Command("create DIR --start"))
	}
	return fmt.Sprintf("They are kept of a request that asks for it: '%s'.", p.Command("invoke %s WORKFLOW --inspect", v.Name))
}
