package apply

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"krt.dev/kn-krt/pkg/apply"
	"krt.dev/kn-krt/test/apiserver"
)

func (w *world) gone(object client.Object) {
	w.Helper()
	require.Eventually(w, func() bool {
		return apierrors.IsNotFound(w.client.Get(w.Context(), client.ObjectKeyFromObject(object), object.DeepCopyObject().(client.Object)))
	}, apiserver.Patience, 5*time.Millisecond)
}

func controlledBy(owner *corev1.ConfigMap) []metav1.OwnerReference {
	return []metav1.OwnerReference{*metav1.NewControllerRef(owner, corev1.SchemeGroupVersion.WithKind("ConfigMap"))}
}

func TestOthersObjectsAreNeverTouched(t *testing.T) {
	for name, tt := range map[string]struct {
		owner func(w *world) []metav1.OwnerReference
		want  apply.NotOwnedError
		text  string
	}{
		"nobody's": {
			owner: func(*world) []metav1.OwnerReference { return nil },
			want:  apply.NotOwnedError{Kind: "Service", Name: "taken"},
			text:  `cannot apply Service "taken": it exists and has no owner`,
		},
		"another owner's": {
			owner: func(w *world) []metav1.OwnerReference { return controlledBy(w.newOwner("other")) },
			want:  apply.NotOwnedError{Kind: "Service", Name: "taken", OwnerKind: "ConfigMap", OwnerName: "other"},
			text:  `cannot apply Service "taken": it exists and belongs to ConfigMap "other"`,
		},
		"a former owner's of the same name": {
			owner: func(w *world) []metav1.OwnerReference {
				former := w.owner.DeepCopy()
				former.UID = "11111111-2222-3333-4444-555555555555"
				return controlledBy(former)
			},
			want: apply.NotOwnedError{Kind: "Service", Name: "taken", OwnerKind: "ConfigMap", OwnerName: "owner", Former: true},
			text: `cannot apply Service "taken": it belongs to a former ConfigMap "owner" and has not been deleted yet`,
		},
	} {
		for cached, selector := range map[string]labels.Selector{
			"seen":   nil,
			"unseen": labels.SelectorFromSet(labels.Set{"ours": "true"}),
		} {
			t.Run(name+" "+cached, func(t *testing.T) {
				w := newWorld(t, selector)
				theirs := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: "taken", Namespace: w.namespace}}
				theirs.OwnerReferences = tt.owner(w)
				theirs.Spec.Ports = []corev1.ServicePort{{Name: "theirs", Port: 7}}
				require.NoError(t, w.other.Create(t.Context(), theirs))
				if selector == nil {
					w.seen(theirs)
				}
				result, err := w.Apply(t.Context(), w.owner, w.service("taken"), w.service("free"))
				var taken *apply.NotOwnedError
				require.ErrorAs(t, err, &taken)
				require.Equal(t, tt.want, *taken)
				require.EqualError(t, err, tt.text)
				require.Equal(t, []string{"created Service/free"}, list(result), "the others are made all the same")
				require.Equal(t, theirs.ResourceVersion, live(w, theirs).ResourceVersion)
			})
		}
	}
}

// Somebody who is slow to see must not overwrite what has got the name meanwhile.
func TestAStaleCacheHarmsNobody(t *testing.T) {
	w := newWorld(t, nil)
	ours := w.service("name")
	w.do([]client.Object{ours}, "created Service/name")
	w.seen(ours)
	w.stop()
	require.NoError(t, w.other.Delete(t.Context(), ours.DeepCopy()))
	theirs := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: "name", Namespace: w.namespace}}
	theirs.Spec.Ports = []corev1.ServicePort{{Port: 7}}
	require.NoError(t, w.other.Create(t.Context(), theirs))

	ours.Spec.Selector["app"] = "changed"
	_, err := w.Apply(t.Context(), w.owner, ours)
	require.EqualError(t, err, `cannot apply Service "name": another object has its name by now`)
	require.Equal(t, theirs.ResourceVersion, live(w, theirs).ResourceVersion)
}

// Two controllers, or a cache that lags, find what is there and make no second one.
func TestWhatTheCacheHasNotSeenIsTakenAsItIs(t *testing.T) {
	w := newWorld(t, labels.SelectorFromSet(labels.Set{"seen": "never"}))
	objects := []client.Object{w.service("s"), w.knative("k")}
	w.do(objects, "created Service/s", "created Service/k")
	version := live(w, w.service("s")).ResourceVersion
	w.do(objects)
	require.Equal(t, version, live(w, w.service("s")).ResourceVersion)
	changed := w.service("s")
	changed.Spec.Selector["app"] = "other"
	w.do([]client.Object{changed}, "updated Service/s")
	require.Equal(t, "other", live(w, changed).Spec.Selector["app"])
}

// A controller before this one may have called itself something else, or not have used apply.
func TestObjectsOfTheSameOwnerAreAdopted(t *testing.T) {
	for name, write := range map[string]func(w *world, s *corev1.Service) error{
		"made by update": func(w *world, s *corev1.Service) error {
			return client.WithFieldOwner(w.other, apply.Manager).Create(w.Context(), s)
		},
		"made by another manager": func(w *world, s *corev1.Service) error { return w.other.Create(w.Context(), s) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, nil)
			old := w.service("s")
			old.OwnerReferences = controlledBy(w.owner)
			old.Spec.Selector = map[string]string{"app": "old"}
			old.Labels["ours"] = "old"
			require.NoError(t, write(w, old))
			w.seen(old)
			w.do([]client.Object{w.service("s")}, "updated Service/s")
			now := live(w, old)
			require.Equal(t, old.UID, now.UID)
			require.Equal(t, map[string]string{"app": "s"}, now.Spec.Selector)
			w.seen(old)
			w.do([]client.Object{w.service("s")})
		})
	}
}

func TestWhatIsBeingDeletedIsLeftAlone(t *testing.T) {
	w := newWorld(t, nil)
	c := w.configMap("c", nil)
	c.Finalizers = []string{"example.com/wait"}
	c.OwnerReferences = controlledBy(w.owner)
	require.NoError(t, w.other.Create(t.Context(), c))
	require.NoError(t, w.other.Delete(t.Context(), c))
	w.seen(c)
	w.do([]client.Object{w.configMap("c", map[string]string{"a": "1"})})
	require.NotContains(t, live(w, c).Data, "a")

	c = live(w, c)
	c.Finalizers = nil
	require.NoError(t, w.other.Update(t.Context(), c))
	w.gone(c)
	w.do([]client.Object{w.configMap("c", nil)}, "created ConfigMap/c")
}

func TestEveryErrorIsToldAndNamesItsObject(t *testing.T) {
	w := newWorld(t, nil)
	bad, worse := w.service("bad"), w.deployment("worse")
	bad.Spec.Ports[0].Port = 0
	worse.Spec.Selector = &metav1.LabelSelector{MatchLabels: map[string]string{"app": "other"}}
	result, err := w.Apply(t.Context(), w.owner, bad, w.configMap("good", nil), worse)
	require.ErrorContains(t, err, `cannot apply Service "bad": Service "bad" is invalid: [spec.ports[0].port`)
	require.ErrorContains(t, err, `cannot apply Deployment "worse": `)
	require.Equal(t, []string{"created ConfigMap/good"}, list(result))
}

func TestManyAtOnce(t *testing.T) {
	w := newWorld(t, nil)
	var objects []client.Object
	for i := range 200 {
		objects = append(objects, w.configMap(fmt.Sprintf("c-%03d", i), map[string]string{"i": "1"}))
	}
	result, err := w.Apply(t.Context(), w.owner, objects...)
	require.NoError(t, err)
	require.Len(t, result.Changed, 200)
	require.Equal(t, apply.Change{Kind: "ConfigMap", Name: "c-007", Action: apply.Created}, result.Changed[7], "in the order asked for")
}

func TestPrune(t *testing.T) {
	w := newWorld(t, nil)
	other := w.newOwner("other")
	theirs := w.configMap("theirs", nil)
	theirs.OwnerReferences = controlledBy(other)
	require.NoError(t, w.other.Create(t.Context(), theirs))
	nobodys := w.configMap("nobodys", nil)
	require.NoError(t, w.other.Create(t.Context(), nobodys))
	all := []client.Object{w.configMap("old", nil), w.configMap("kept", nil), w.service("old"), w.service("kept"), w.deployment("old")}
	_, err := w.Apply(t.Context(), w.owner, all...)
	require.NoError(t, err)
	w.seen(append(all, theirs, nobodys)...)

	keep := []client.Object{w.configMap("kept", nil), w.service("kept")}
	result, err := w.Prune(t.Context(), w.owner, keep, &corev1.ConfigMapList{}, &corev1.ServiceList{})
	require.NoError(t, err)
	require.Equal(t, []string{"deleted ConfigMap/old", "deleted Service/old"}, list(result))
	w.gone(w.configMap("old", nil))
	w.gone(w.service("old"))
	for _, object := range append(keep, theirs, nobodys, w.deployment("old")) {
		live(w, object) // still there: kept, not ours, or of a kind that was not asked for
	}
	w.calls.since()
	result, err = w.Prune(t.Context(), w.owner, keep, &corev1.ConfigMapList{}, &corev1.ServiceList{})
	require.NoError(t, err)
	require.Empty(t, result.Changed)
	require.Empty(t, w.calls.since())
}
