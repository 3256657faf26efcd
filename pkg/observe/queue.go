package observe

import (
	"fmt"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
)

// MarkQueueUnavailable marks in v why the queue at url cannot be used, what that means, and
// what to do about it.
func MarkQueueUnavailable(v *v1alpha1.Version, url, why string) {
	v.MarkEntrypointNotReady(v1alpha1.ReasonQueueUnavailable, fmt.Sprintf("the queue at %s cannot be used: %s; requests get "+
		"UNAVAILABLE or 503, and what was accepted waits; install it: KO_CONFIG_PATH=ko.yaml ko apply -f config/queue/, or see: "+
		"kn krt doctor -n %s", url, why, v.Namespace))
}
