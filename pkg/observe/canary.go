package observe

import (
	"fmt"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/krt/spelling"
)

// CanaryNotFound is why a canary that does not exist gets no requests. names are the
// versions of the namespace.
func CanaryNotFound(rt *v1alpha1.Runtime, names []string) *Cause {
	wanted, hint := rt.Spec.Canary.Version, "; list the versions"
	// The published version cannot be its own canary.
	others := slices.DeleteFunc(slices.Clone(names), func(name string) bool { return name == rt.Spec.PublishedVersion })
	if nearest := spelling.Nearest(wanted, others); nearest != "" {
		hint = fmt.Sprintf("; did you mean %q? List the versions", nearest)
	}
	return &Cause{v1alpha1.ReasonVersionNotFound, fmt.Sprintf("there is no version %q%s: kn krt list -n %s", wanted, hint, rt.Namespace)}
}

// CanaryUnready returns why a canary gets no requests as long as it is not ready; nil if it
// is. The reason [v1alpha1.ReasonPublishing] is work in progress: a canary that gets requests
// keeps them while that lasts, as when it rolls.
func CanaryUnready(rt *v1alpha1.Runtime, v *v1alpha1.Version) *Cause {
	ready := v.Status.Condition(v1alpha1.ConditionReady)
	notReady := func(message string) *Cause {
		return &Cause{v1alpha1.ReasonVersionNotReady, fmt.Sprintf("version %q is not ready: %s", v.Name, message)}
	}
	switch {
	case v.DeletionTimestamp != nil:
		return notReady("it is being deleted")
	case v.WantedState() == v1alpha1.StateStopped:
		return notReady("it is stopped; start it: " + v.Command("start"))
	case v.IsReady():
		return nil
	case ready != nil && ready.Status == metav1.ConditionFalse && ready.ObservedGeneration == v.Generation:
		return notReady(ready.Message)
	case rt.Receives(v.Name):
		return nil
	default:
		return &Cause{v1alpha1.ReasonPublishing, fmt.Sprintf("version %q is starting", v.Name)}
	}
}

// CannotDivide returns why no requests can be divided between a published version and its
// canary: an older kn-krt has started one of them; nil if they can.
func CannotDivide(published, canary *v1alpha1.Version) *Cause {
	for _, v := range []*v1alpha1.Version{published, canary} {
		if with := v.Status.StartedWith; with == nil || !with.Traffic {
			return &Cause{v1alpha1.ReasonRestartNeeded, fmt.Sprintf(
				"version %q was started by an older kn-krt and cannot divide requests; restart it: %s", v.Name, v.Command("restart"))}
		}
	}
	return nil
}
