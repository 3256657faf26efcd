package observe

import (
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/krt/spelling"
)

// VersionNotFound is why a version that does not exist is not published. names are the
// versions of the namespace.
func VersionNotFound(rt *v1alpha1.Runtime, names []string) *Cause {
	hint := "; list the versions"
	if nearest := spelling.Nearest(rt.Spec.PublishedVersion, names); nearest != "" {
		hint = fmt.Sprintf("; did you mean %q? List the versions", nearest)
	}
	return &Cause{v1alpha1.ReasonVersionNotFound, fmt.Sprintf(
		"there is no version %q%s%s: kn krt list -n %s", rt.Spec.PublishedVersion, publishedMeanwhile(rt), hint, rt.Namespace)}
}

// Unpublishable returns why a version cannot be published, nil if it can. The reason
// [v1alpha1.ReasonPublishing] is work in progress: of that a version that is published
// already has none, so that it is not reported as failing while it rolls.
func Unpublishable(rt *v1alpha1.Runtime, v *v1alpha1.Version) *Cause {
	published := v.Name == rt.Status.PublishedVersion
	ready := v.Status.Condition(v1alpha1.ConditionReady)
	switch {
	case v.DeletionTimestamp != nil && !published:
		return versionNotReady(rt, "it is being deleted")
	case v.IsReady():
		return nil
	case v.WantedState() == v1alpha1.StateStopped && !published:
		return versionNotReady(rt, "it is stopped; start it: "+v.Command("start"))
	case ready != nil && ready.Status == metav1.ConditionFalse && ready.ObservedGeneration == v.Generation:
		return versionNotReady(rt, ready.Message)
	case published:
		return nil
	default:
		return &Cause{v1alpha1.ReasonPublishing, fmt.Sprintf("version %q is starting", v.Name)}
	}
}

func versionNotReady(rt *v1alpha1.Runtime, message string) *Cause {
	return &Cause{v1alpha1.ReasonVersionNotReady, fmt.Sprintf(
		"version %q is not ready%s: %s", rt.Spec.PublishedVersion, publishedMeanwhile(rt), message)}
}

// publishedMeanwhile names the version that stays published.
func publishedMeanwhile(rt *v1alpha1.Runtime) string {
	if p := rt.Status.PublishedVersion; p != "" && p != rt.Spec.PublishedVersion {
		return fmt.Sprintf(" (%q stays published)", p)
	}
	return ""
}
