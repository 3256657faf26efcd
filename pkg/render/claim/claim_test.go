package claim

import (
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
)

func TestObjectsBelongToTheirOwnVersion(t *testing.T) {
	version := func(name, node, workflow string) v1alpha1.Version {
		v := v1alpha1.Version{ObjectMeta: metav1.ObjectMeta{Name: name}}
		v.Spec.Nodes = []v1alpha1.Node{{Name: node}}
		v.Spec.Workflows = []v1alpha1.Workflow{{Name: workflow}}
		return v
	}
	// The name of each is the beginning of others' names.
	all := []v1alpha1.Version{
		version("a", "b", "w"), version("a-b", "etl", "w-x"), version("a-b-c", "etl", "w"), version("a-w", "abcdef", "x"),
	}
	object := func(api, kind, name string) corev1.ObjectReference {
		return corev1.ObjectReference{APIVersion: api, Kind: kind, Name: name}
	}
	long := "a-very-long-name-1-a-very-long-name-2"
	all = append(all, version("a-very-long-name-1", "a-very-long-name-2", "a-very-long-name-3"))
	for of, objects := range map[string][]corev1.ObjectReference{
		"a": {
			object("krt.dev/v1alpha1", "Version", "a"), object("v1", "Service", "a"), object("apps/v1", "Deployment", "a-entrypoint"),
			object("v1", "Pod", "a-entrypoint-6d5f8b7c9-x2x4z"), object("serving.knative.dev/v1", "Service", "a-b"),
			object("serving.knative.dev/v1", "Revision", "a-b-00001"), object("v1", "Pod", "a-b-00012-deployment-6d5f8b7c9-x2x4z"),
			object("flows.knative.dev/v1", "Sequence", "a-w"), object("flows.knative.dev/v1", "Sequence", "a-w-0a1b2c"),
			object("messaging.knative.dev/v1", "Subscription", "a-w-kn-sequence-0"), object("v1", "Service", "a-w-0a1b2c-kn-sequence-0-kn-channel"),
			object("v1", "Service", "a--b"), object("v1", "Service", "a---b"), object("v1", "Secret", "a-config"),
			object("v1", "Service", "a-reply"),
		},
		"a-b": {
			object("krt.dev/v1alpha1", "Version", "a-b"), object("v1", "Pod", "a-b-entrypoint-6d5f8b7c9-x2x4z"),
			object("serving.knative.dev/v1", "Revision", "a-b-etl-00001"), object("apps/v1", "ReplicaSet", "a-b-entrypoint-6d5f8b7c9"),
			object("flows.knative.dev/v1", "Sequence", "a-b-w-x"),
		},
		"a-b-c": {object("v1", "Pod", "a-b-c-etl-00001-deployment-6d5f8b7c9-x2x4z"), object("flows.knative.dev/v1", "Sequence", "a-b-c-w")},
		"a-w":   {object("serving.knative.dev/v1", "Service", "a-w-abcdef"), object("krt.dev/v1alpha1", "Version", "a-w")},
		"a-very-long-name-1": {
			object("v1", "Pod", long+"-00001-deployment-8x2x4z"), object("serving.knative.dev/v1", "Revision", long+"-00001"),
		},
		"nobody": {
			object("v1", "Pod", "a-bc"), object("v1", "Pod", "a-b-cron-123"),
			object("krt.dev/v1alpha1", "Runtime", "a"), object("v1", "Node", "b"),
		},
	} {
		for _, o := range objects {
			for i := range all {
				if o.Kind == "Service" && o.Name == "a-b" && all[i].Name == "a-b" {
					continue // both have one of the name, of two kinds: only one of them can be there
				}
				require.Equal(t, all[i].Name == of, Belongs(&all[i], all)(o), "%s %s is listed for %s", o.Kind, o.Name, all[i].Name)
			}
		}
	}
}
