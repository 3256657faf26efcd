package namespace

import (
	"testing"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/test/conformance/node"
)

// Version is a started version with the contract of the conformance cases, and one node, "only", in the
// workflow "one".
func Version(t *testing.T, name, image string) *v1alpha1.Version {
	t.Helper()
	proto, err := node.Bundle.ReadFile("conformance.proto")
	require.NoError(t, err)
	v := &v1alpha1.Version{ObjectMeta: metav1.ObjectMeta{Name: name}}
	v.APIVersion, v.Kind = v1alpha1.GroupVersion.String(), "Version"
	v.Spec = v1alpha1.VersionSpec{
		State: v1alpha1.StateStarted,
		Entrypoint: v1alpha1.Entrypoint{
			Proto: "conformance.proto",
			Files: []v1alpha1.ProtoFile{{Path: "conformance.proto", Content: string(proto)}},
		},
		Nodes:     []v1alpha1.Node{{Name: "only", Image: image}},
		Workflows: []v1alpha1.Workflow{{Name: "one", Entrypoint: "One", Sequential: []string{"only"}}},
	}
	return v
}
