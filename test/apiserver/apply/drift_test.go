package apply

import (
	"testing"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

func TestNothingToDoMakesNoCall(t *testing.T) {
	w := newWorld(t, nil)
	objects := w.everyKind()
	result, err := w.Apply(t.Context(), w.owner, objects...)
	require.NoError(t, err)
	require.Len(t, result.Changed, len(objects))
	w.seen(objects...)
	w.calls.since()
	for range 3 {
		w.do(w.everyKind())
	}
	require.Empty(t, w.calls.since())
}

// A Secret's stringData is one of the fields that the apiserver's side rewrites
// each time: what is wanted is never there.
func TestWhatNeverAgreesIsTriedDryOnceAndLeftAlone(t *testing.T) {
	w := newWorld(t, nil)
	secret := &corev1.Secret{ObjectMeta: w.meta("odd"), StringData: map[string]string{"key": "value"}}
	objects := []client.Object{secret}
	w.do(objects, "created Secret/odd")
	w.seen(secret)
	version := live(w, secret).ResourceVersion
	w.calls.since()
	w.do(objects)
	require.Equal(t, []string{"PATCH /api/v1/namespaces/" + w.namespace + "/secrets/odd All"}, w.calls.since())
	w.do(objects)
	require.Empty(t, w.calls.since())
	require.Equal(t, version, live(w, secret).ResourceVersion)

	edit(w, secret, func(s *corev1.Secret) { s.Data["key"] = []byte("other") })
	w.do(objects, "updated Secret/odd")
	require.Equal(t, "value", string(live(w, secret).Data["key"]))
}

func TestDriftIsMended(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(w *world)
		want   string
	}{
		"a field of a Knative Service": {want: "updated Service/node", change: func(w *world) {
			edit(w, w.knative("node"), func(s *servingv1.Service) { s.Spec.Template.Spec.Containers[0].Image = "example.com/evil" })
		}},
		"a variable put into a Knative Service": {want: "updated Service/node", change: func(w *world) {
			edit(w, w.knative("node"), func(s *servingv1.Service) {
				c := &s.Spec.Template.Spec.Containers[0]
				c.Env = append(c.Env, corev1.EnvVar{Name: "EVIL", Value: "1"})
			})
		}},
		"a quantity": {want: "updated Deployment/entrypoint", change: func(w *world) {
			edit(w, w.deployment("entrypoint"), func(d *appsv1.Deployment) {
				d.Spec.Template.Spec.Containers[0].Resources.Limits[corev1.ResourceCPU] = resource.MustParse("2")
			})
		}},
		"a label": {want: "updated Service/entrypoint", change: func(w *world) {
			edit(w, w.service("entrypoint"), func(s *corev1.Service) { delete(s.Labels, "ours") })
		}},
		"a selector": {want: "updated Service/entrypoint", change: func(w *world) {
			edit(w, w.service("entrypoint"), func(s *corev1.Service) { s.Spec.Selector["app"] = "evil" })
		}},
		"an object that was deleted": {want: "created Deployment/entrypoint", change: func(w *world) {
			d := w.deployment("entrypoint")
			require.NoError(w, w.other.Delete(w.Context(), d))
			w.gone(d)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, nil)
			objects := []client.Object{w.knative("node"), w.deployment("entrypoint"), w.service("entrypoint")}
			w.do(objects, "created Service/node", "created Deployment/entrypoint", "created Service/entrypoint")
			w.seen(objects...)
			tt.change(w)
			w.do(objects, tt.want)
			w.seen(objects...)
			w.do(objects)
			require.Equal(t, podSpec().Containers[0].Env, live(w, w.knative("node")).Spec.Template.Spec.Containers[0].Env)
			require.Equal(t, w.service("").Labels, live(w, w.service("entrypoint")).Labels)
			require.Equal(t, "entrypoint", live(w, w.service("entrypoint")).Spec.Selector["app"])
		})
	}
}

func TestWhatOthersAddStays(t *testing.T) {
	w := newWorld(t, nil)
	d := w.deployment("entrypoint")
	w.do([]client.Object{d}, "created Deployment/entrypoint")
	w.seen(d)
	edit(w, d, func(d *appsv1.Deployment) {
		d.Spec.Replicas = new(int32(3)) // an autoscaler's business: nothing is wanted of it
		d.Annotations["theirs"] = "1"
		c := &d.Spec.Template.Spec.Containers[0]
		c.Env = append(c.Env, corev1.EnvVar{Name: "THEIRS", Value: "1"}) // env is a list of several owners here
	})
	w.calls.since()
	w.do([]client.Object{w.deployment("entrypoint")})
	require.Len(t, w.calls.since(), 1, "one more variable than wanted is tried dry")
	w.do([]client.Object{w.deployment("entrypoint")})
	require.Empty(t, w.calls.since(), "and not again")
	require.Equal(t, int32(3), *live(w, d).Spec.Replicas)
}

func TestWhatIsWantedNoLongerGoes(t *testing.T) {
	for name, before := range map[string]func(w *world, objects []client.Object){
		"of a new object": func(*world, []client.Object) {},
		"of one that has been updated": func(w *world, objects []client.Object) {
			objects[0].GetLabels()["round"] = "2"
			_, err := w.Apply(w.Context(), w.owner, objects...)
			require.NoError(w, err)
			w.seen(objects...)
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, nil)
			objects := []client.Object{w.deployment("d"), w.knative("k"), w.configMap("c", map[string]string{"a": "1", "b": "2"})}
			w.do(objects, "created Deployment/d", "created Service/k", "created ConfigMap/c")
			w.seen(objects...)
			before(w, objects)

			d, k, c := w.deployment("d"), w.knative("k"), w.configMap("c", map[string]string{"b": "2"})
			d.Spec.Template.Spec.Containers[0].Env = podSpec().Containers[0].Env[:1]
			d.Spec.Template.Spec.Volumes, d.Spec.Template.Spec.Containers[0].VolumeMounts = nil, nil
			k.Spec.Template.Annotations = nil
			k.Spec.Template.Spec.Containers[0].Env = nil
			objects = []client.Object{d, k, c}
			w.do(objects, "updated Deployment/d", "updated Service/k", "updated ConfigMap/c")
			w.seen(objects...)

			pod := live(w, d).Spec.Template.Spec
			require.Equal(t, []corev1.EnvVar{{Name: "A", Value: "1"}}, pod.Containers[0].Env)
			require.Empty(t, pod.Volumes)
			require.NotContains(t, live(w, d).Labels, "round")
			require.Empty(t, live(w, k).Spec.Template.Annotations)
			require.Empty(t, live(w, k).Spec.Template.Spec.Containers[0].Env)
			require.Equal(t, map[string]string{"b": "2"}, live(w, c).Data)
			w.calls.since()
			w.do(objects)
			require.Empty(t, w.calls.since())
		})
	}
}
