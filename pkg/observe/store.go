package observe

import (
	"fmt"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
)

// MarkStoreUnavailable marks in v why the store at url cannot be used, what that means,
// and the command that shows more.
func MarkStoreUnavailable(v *v1alpha1.Version, url, why string) {
	v.MarkStoreUnavailable(fmt.Sprintf("the store at %s cannot be used: %s; requests continue, ctx.db fails and other saves are lost; "+
		"see: kn krt doctor -n %s", url, why, v.Namespace))
}
