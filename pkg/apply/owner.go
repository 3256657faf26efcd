package apply

import (
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// NotOwnedError is that an object has a desired name but another owner. It was not touched.
type NotOwnedError struct {
	// Kind and Name are the object's, in the owner's namespace.
	Kind, Name string
	// OwnerKind and OwnerName are its controller's; empty if it has none.
	OwnerKind, OwnerName string
	// Former is true if the controller had the name of ours and is deleted: the object
	// will be deleted too.
	Former bool
}

func (e *NotOwnedError) Error() string {
	switch {
	case e.Former:
		return fmt.Sprintf("cannot apply %s %q: it belongs to a former %s %q and has not been deleted yet",
			e.Kind, e.Name, e.OwnerKind, e.OwnerName)
	case e.OwnerKind != "":
		return fmt.Sprintf("cannot apply %s %q: it exists and belongs to %s %q", e.Kind, e.Name, e.OwnerKind, e.OwnerName)
	default:
		return fmt.Sprintf("cannot apply %s %q: it exists and has no owner", e.Kind, e.Name)
	}
}

// OwnerIndex names a cache's index of objects by the UID of their controller. It finds a
// version's objects without scanning its namespace.
const OwnerIndex = "metadata.controller.uid"

// IndexOwner returns the values of the [OwnerIndex] for an object.
func IndexOwner(o client.Object) []string {
	if controller := metav1.GetControllerOfNoCopy(o); controller != nil {
		return []string{string(controller.UID)}
	}
	return nil
}

// owned returns an error unless an object's controller is the owner, by its UID, whoever
// manages the object's fields.
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
