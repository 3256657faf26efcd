package v1alpha1

import (
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// MarkStoreUnavailable reports why the version's store cannot be used. The version stays
// as ready as it is: its nodes report what they cannot save.
func (v *Version) MarkStoreUnavailable(why string) {
	v.mark(ConditionStoreUnavailable, metav1.ConditionTrue, ReasonStoreUnavailable, why)
}

// MarkStoreNotUnavailable removes StoreUnavailable.
func (v *Version) MarkStoreNotUnavailable() {
	meta.RemoveStatusCondition(&v.Status.Conditions, ConditionStoreUnavailable)
}
