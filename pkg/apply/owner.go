package apply

import (
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// NotOwnedError says that an object has a wanted name but is another's. It was
// left as it is.
type NotOwnedError struct {
	// Kind and Name are the object's, in the owner's namespace.
	Kind, Name string
	// OwnerKind and OwnerName are the controller's that has it; empty if it has none.
	OwnerKind, OwnerName string
	// Former is true if the controller was one of the same name as ours, which is
	// deleted: the object will follow.
	Former bool
}

func (e *NotOwnedError) Error() string {
	switch {
	case e.Former:
		return fmt.Sprintf("cannot apply %s %q: it belongs to a former %s %q and has not been deleted yet", e.Kind, e.Name, e.OwnerKind, e.OwnerName)
	case e.OwnerKind != "":
		return fmt.Sprintf("cannot apply %s %q: it exists and belongs to %s %q", e.Kind, e.Name, e.OwnerKind, e.OwnerName)
	default:
		return fmt.Sprintf("cannot apply %s %q: it exists and belongs to nobody of ours", e.Kind, e.Name)
	}
}

// OwnerIndex names a cache's index of objects by the UID of their controller. With
// it, what a version has is found without a look at all else of its namespace.
const OwnerIndex = "metadata.controller.uid"

// IndexOwner makes the [OwnerIndex].
func IndexOwner(o client.Object) []string {
	if controller := metav1.GetControllerOfNoCopy(o); controller != nil {
		return []string{string(controller.UID)}
	}
	return nil
}

// owned tells by the UID of its controller whether an object is the owner's,
// whoever manages its fields.
func owned(owner, live client.Object, w *wanted) error {
	controller := metav1.GetControllerOfNoCopy(live)
	if controller == nil {
		return &NotOwnedError{Kind: w.gvk.Kind, Name: w.key.Name}
	}
	if controller.UID == owner.GetUID() {
		return nil
	}
	return &NotOwnedError{
		Kind: w.gvk.Kind, Name: w.key.Name, OwnerKind: controller.Kind, OwnerName: controller.Name,
		Former: controller.Kind == w.owner && controller.Name == owner.GetName(),
	}
}
