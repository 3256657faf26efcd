package cluster

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/dashboard/source"
)

// entrypoint is the version's entrypoint as the pages show it.
func (s seen) entrypoint() source.Entrypoint {
	c := s.version.Status.Condition(v1alpha1.ConditionEntrypointReady)
	if c == nil {
		return source.Entrypoint{State: s.unobserved()}
	}
	shown := source.Entrypoint{State: s.partState(c.Status == metav1.ConditionTrue, c.Reason)}
	if c.Status == metav1.ConditionUnknown && shown.State == source.Failed { // work in progress
		shown.State = source.Starting
	}
	if shown.State == source.Starting || shown.State == source.Failed {
		shown.Reason = c.Reason
		shown.Cause, shown.Next = split(c.Message)
	}
	return shown
}
