package version

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/apply"
	"krt.dev/kn-krt/pkg/observe"
	"krt.dev/kn-krt/pkg/render"
)

// holding reads one ConfigMap, if it is not nil, or fails.
type holding struct {
	client.Client
	one *corev1.ConfigMap
	err error
}

func (h holding) Get(_ context.Context, key client.ObjectKey, into client.Object, _ ...client.GetOption) error {
	switch {
	case h.err != nil:
		return h.err
	case h.one == nil || h.one.Name != key.Name:
		return apierrors.NewNotFound(schema.GroupResource{Resource: "configmaps"}, key.Name)
	}
	h.one.DeepCopyInto(into.(*corev1.ConfigMap))
	return nil
}

// The configuration that the pods of an entrypoint mount is kept, whoever has made it, as long as it is there.
func TestTheConfigurationInUseIsKept(t *testing.T) {
	v := testVersion()
	v.UID = "1"
	v.Spec.Nodes = []v1alpha1.Node{{Name: "etl", Image: "e"}}
	v.Spec.Workflows = []v1alpha1.Workflow{{Name: "one", Entrypoint: "One", Sequential: []string{"etl"}}}
	v.Spec.Entrypoint = v1alpha1.Entrypoint{Proto: "p.proto", Delivery: v1alpha1.DeliveryDirect,
		Files: []v1alpha1.ProtoFile{{Path: "p.proto", Content: `syntax = "proto3";`}}}
	with := v1alpha1.StartedWith{EntrypointImage: "e", Settings: render.Record(nil), Abilities: v1alpha1.Latest()}
	want := desired{version: v, live: true, plan: plan{with: with, settings: render.SettingsOf(with.Settings)}}
	rendered := func() (items []item, d *appsv1.Deployment) {
		items, err := want.items(cluster{serving: true, eventing: true}, observe.Config{Ready: true}, "key")
		require.NoError(t, err)
		for _, one := range items {
			if isDeployment(one.object) {
				d = one.object.(*appsv1.Deployment)
			}
		}
		return items, d
	}
	theirs := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: render.ContentName("v", "former"), Namespace: v.Namespace,
		OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(v, v1alpha1.GroupVersion.WithKind("Version"))}}}
	going, strange := theirs.DeepCopy(), theirs.DeepCopy()
	going.DeletionTimestamp, strange.OwnerReferences = new(metav1.Now()), nil
	unreadable := errors.New("no ConfigMaps today")
	mounts := func(name string) func(*appsv1.Deployment) {
		return func(d *appsv1.Deployment) { d.Spec.Template.Spec.Volumes[0].ConfigMap.Name = name }
	}
	for name, test := range map[string]struct {
		there        func(*appsv1.Deployment)
		cached, live holding
		kept, anew   bool
		err          error
	}{
		"ours":                          {there: func(*appsv1.Deployment) {}, live: holding{err: unreadable}},
		"theirs":                        {there: mounts(theirs.Name), cached: holding{one: theirs}, live: holding{err: unreadable}, kept: true},
		"theirs, and the cache is late": {there: mounts(theirs.Name), live: holding{one: theirs}, kept: true},
		"theirs is gone":                {there: mounts(theirs.Name), anew: true},
		"theirs is being deleted":       {there: mounts(theirs.Name), cached: holding{one: going}, live: holding{one: going}, anew: true},
		"it is somebody else's":         {there: mounts(theirs.Name), cached: holding{one: strange}, live: holding{one: strange}, anew: true},
		"it cannot be read":             {there: mounts(theirs.Name), live: holding{err: unreadable}, err: unreadable},
		"the version has changed": {there: func(d *appsv1.Deployment) {
			mounts(theirs.Name)(d)
			d.Annotations[apply.MadeAnnotation] = "before"
		}, cached: holding{one: theirs}},
	} {
		t.Run(name, func(t *testing.T) {
			items, d := rendered()
			deployment := d.DeepCopy()
			test.there(deployment)
			r := &reconciler{client: test.cached, live: test.live}
			now, inUse, err := r.keepContent(t.Context(), want, current{deployment: deployment}, items)
			require.ErrorIs(t, err, test.err)
			if test.err != nil {
				return
			}
			contents, anew := 0, 0
			for _, one := range now {
				if isContent(v, one.object) {
					contents++
				}
				if one.anew {
					require.True(t, isDeployment(one.object))
					anew++
				}
			}
			require.Equal(t, test.anew, anew == 1)
			if test.kept {
				require.Zero(t, contents, "no pod would mount it")
				require.Len(t, inUse, 1)
				require.Equal(t, theirs.Name, inUse[0].GetName())
				return
			}
			require.Equal(t, 1, contents)
			require.Empty(t, inUse)
		})
	}
}
