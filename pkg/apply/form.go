package apply

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// serverFields are the fields of metadata that only the apiserver writes.
var serverFields = []string{"creationTimestamp", "deletionGracePeriodSeconds", "deletionTimestamp", "generation",
	"managedFields", "resourceVersion", "selfLink", "uid"}

// zeros are the values below spec that Go types write although they were not set, because
// their fields have no omitempty. All other empty values are meant: emptyDir, podSelector.
var zeros = map[string]any{
	"metadata":   map[string]any{}, // of a template; emptied by an apply it is null, which Knative's schema refuses
	"name":       "",               // of a Knative Service's container
	"resources":  map[string]any{},
	"strategy":   map[string]any{},
	"targetPort": int64(0),
}

// want returns what is to be sent: the desired object with its controller and the hash of both.
func (a *Applier) want(owner, desired client.Object) (*wanted, error) {
	ownerKind, err := a.Client.GroupVersionKindFor(owner)
	if err != nil {
		return nil, err
	}
	gvk, err := a.Client.GroupVersionKindFor(desired)
	if err != nil {
		return nil, err
	}
	if _, untyped := desired.(runtime.Unstructured); untyped {
		return nil, errors.New("only an object of its own Go type can be compared")
	}
	object := desired.DeepCopyObject().(client.Object)
	object.SetOwnerReferences([]metav1.OwnerReference{*metav1.NewControllerRef(owner, ownerKind)})
	form, err := formOf(object)
	if err != nil {
		return nil, err
	}
	hash := content(form)
	if err := unstructured.SetNestedField(form, hash, "metadata", "annotations", HashAnnotation); err != nil {
		return nil, err
	}
	return &wanted{
		gvk: gvk, key: client.ObjectKeyFromObject(desired), owner: ownerKind.Kind,
		of: owner.GetUID(), form: form, hash: hash, goType: reflect.TypeOf(desired).Elem(),
	}, nil
}

// object returns a copy of the form, to be sent.
func (w *wanted) object() *unstructured.Unstructured {
	u := &unstructured.Unstructured{Object: runtime.DeepCopyJSON(w.form)}
	u.SetGroupVersionKind(w.gvk)
	return u
}

// first returns the object to create: of its Go type if that can be sent as protobuf, which
// is cheaper for the apiserver than JSON.
func (w *wanted) first() (client.Object, error) {
	typed := w.typed()
	if _, ok := typed.(interface{ Marshal() ([]byte, error) }); !ok {
		return w.object(), nil
	}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(w.form, typed); err != nil {
		return nil, fmt.Errorf("cannot convert the object: %w", err)
	}
	return typed, nil
}

// typed returns an empty object of the Go type.
func (w *wanted) typed() client.Object { return reflect.New(w.goType).Interface().(client.Object) }

// madeAlike reports whether a live object is derived from the same and differs
// nevertheless: another program has written it.
func (w *wanted) madeAlike(live client.Object) bool {
	made, _, _ := unstructured.NestedString(w.form, "metadata", "annotations", MadeAnnotation)
	now := live.GetAnnotations()
	return made != "" && now[MadeAnnotation] == made && now[HashAnnotation] != "" && now[HashAnnotation] != w.hash
}

// formOf is the one place where a typed object becomes a map: without its kind, its status,
// the apiserver's fields, nulls, and zeros that were not set.
func formOf(object client.Object) (map[string]any, error) {
	form, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
	if err != nil {
		return nil, fmt.Errorf("cannot read the object: %w", err)
	}
	for _, name := range []string{"apiVersion", "kind", "status"} {
		delete(form, name)
	}
	if metadata, ok := form["metadata"].(map[string]any); ok {
		for _, name := range serverFields {
			delete(metadata, name)
		}
	}
	for name, value := range form {
		form[name] = trim(value, name == "spec")
	}
	return form, nil
}

// trim removes nulls, and below spec the zeros.
func trim(value any, spec bool) any {
	switch value := value.(type) {
	case map[string]any:
		for name, field := range value {
			field = trim(field, spec)
			zero, named := zeros[name]
			if field == nil || spec && named && reflect.DeepEqual(field, zero) {
				delete(value, name)
				continue
			}
			value[name] = field
		}
	case []any:
		for i := range value {
			value[i] = trim(value[i], spec)
		}
	}
	return value
}

// covers reports whether a live object has all that is wanted. It may have more fields,
// which others or the apiserver have set; a list must have the same number of items.
func covers(live, want any) bool {
	switch want := want.(type) {
	case map[string]any:
		live, ok := live.(map[string]any)
		if !ok {
			return false
		}
		for name, field := range want {
			if other, exists := live[name]; !exists || !covers(other, field) {
				return false
			}
		}
		return true
	case []any:
		live, ok := live.([]any)
		if !ok || len(live) != len(want) {
			return false
		}
		for i := range want {
			if !covers(live[i], want[i]) {
				return false
			}
		}
		return true
	default:
		return live == want
	}
}

// content is a hash of a form.
func content(form map[string]any) string {
	// It consists of JSON types, whose keys are sorted: this cannot fail.
	text, _ := json.Marshal(form)
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:16])
}
