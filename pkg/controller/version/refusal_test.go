package version

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/apply"
	"krt.dev/kn-krt/pkg/observe"
)

func TestRefusal(t *testing.T) {
	resource := schema.GroupResource{Resource: "services"}
	for _, tt := range []struct {
		name            string
		err             error
		reason, message string
	}{
		{"nothing", nil, "", ""},
		{"the apiserver is away", errors.New("connection refused"), "", ""},
		{"a conflict", apierrors.NewConflict(resource, "v", errors.New("newer")), "", ""},
		{"a webhook's no", fmt.Errorf("cannot apply Service %q: %w", "v", apierrors.NewBadRequest("denied")), v1alpha1.ReasonRefused,
			`cannot apply Service "v": denied; it is retried every 30s`},
		{"another version's", &apply.NotOwnedError{Kind: "Service", Name: "v-a", OwnerKind: "Version", OwnerName: "w"}, v1alpha1.ReasonNotOwned,
			`Service "v-a" belongs to Version "w", whose object names collide with this version's; ` +
				"rename this version or delete the other one: kn krt delete w -n ns"},
		{"Knative's own", &apply.NotOwnedError{Kind: "Service", Name: "v", OwnerKind: "Route", OwnerName: "v"}, v1alpha1.ReasonNotOwned,
			`Service "v" exists and belongs to Route "v"; rename or delete it, or use another name here`},
		{"a former version's", &apply.NotOwnedError{Kind: "Service", Name: "v-a", OwnerKind: "Version", OwnerName: "v", Former: true},
			v1alpha1.ReasonDeploying, `Service "v-a" of a deleted version of this name still exists`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, ok := refusal(testVersion(), tt.err)
			require.Equal(t, tt.reason != "", ok)
			if tt.reason != "" {
				require.Equal(t, &observe.Cause{Reason: tt.reason, Message: tt.message}, c)
			}
		})
	}
}

func TestNamespaceTerminating(t *testing.T) {
	namespaces, services := schema.GroupResource{Resource: "namespaces"}, schema.GroupResource{Resource: "services"}
	goes := apierrors.NewForbidden(services, "v", errors.New("it is being terminated"))
	goes.ErrStatus.Details.Causes = []metav1.StatusCause{{Type: corev1.NamespaceTerminatingCause}}
	require.True(t, namespaceTerminating(fmt.Errorf("cannot apply: %w", goes)))
	require.True(t, namespaceTerminating(fmt.Errorf("cannot apply: %w", apierrors.NewNotFound(namespaces, "ns"))))
	require.False(t, namespaceTerminating(apierrors.NewNotFound(services, "v")))
	require.False(t, namespaceTerminating(apierrors.NewForbidden(services, "v", errors.New("no rights"))))
	require.False(t, namespaceTerminating(nil))
}
