// Package behind finds the versions that an upgrade of kn-krt or a changed setting has left behind.
package behind

import "krt.dev/kn-krt/pkg/apis/krt/v1alpha1"

// Names returns the names of those of a namespace's versions that are started and left behind, in the order in which
// to restart them: the published one, and one that is being published or unpublished, are the last. The Runtime is nil
// if there is none.
func Names(all []v1alpha1.Version, r *v1alpha1.Runtime) []string {
	var names, last []string
	for i := range all {
		v := &all[i]
		current := v.Status.Condition(v1alpha1.ConditionCurrent)
		switch {
		case v.DeletionTimestamp != nil || v.Spec.State != v1alpha1.StateStarted || current == nil || current.Reason != v1alpha1.ReasonBehind:
		case r != nil && (r.Spec.PublishedVersion == v.Name || r.Status.PublishedVersion == v.Name):
			last = append(last, v.Name)
		default:
			names = append(names, v.Name)
		}
	}
	return append(names, last...)
}
