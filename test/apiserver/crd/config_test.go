package crd_test

import (
	"context"
	"encoding/json"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"krt.dev/kn-krt/pkg/cluster"
	"krt.dev/kn-krt/test/apiserver"
)

// install makes the objects of config/ until the test ends. The CRDs among them are there.
func install(t *testing.T) map[string]*unstructured.Unstructured {
	t.Helper()
	apiserver.Need(t)
	c, err := server.NewClient()
	require.NoError(t, err)
	all, err := server.Install(t.Context(), apiserver.Folder+"/[^3]*.yaml", apiserver.Folder+"/dashboard/*.yaml")
	t.Cleanup(func() {
		for _, o := range all {
			require.NoError(t, c.Delete(context.Background(), o))
		}
	})
	require.NoError(t, err)
	named := map[string]*unstructured.Unstructured{}
	for _, o := range all {
		named[o.GetKind()+" "+o.GetName()] = o
	}
	return named
}

func TestConfig(t *testing.T) {
	all := install(t)
	t.Run("user roles are added to Kubernetes' own", func(t *testing.T) {
		for role, label := range map[string]string{
			"krt-view":                 "rbac.authorization.k8s.io/aggregate-to-view",
			"krt-edit":                 "rbac.authorization.k8s.io/aggregate-to-edit",
			"krt-admin":                "rbac.authorization.k8s.io/aggregate-to-admin",
			"krt-addressable-resolver": "duck.knative.dev/addressable",
		} {
			require.Equal(t, "true", all["ClusterRole "+role].GetLabels()[label], role)
		}
	})
	t.Run("the controller's pod meets Pod Security restricted", func(t *testing.T) { restricted(t, all["Deployment krt-controller"]) })
	t.Run("the store's pod meets Pod Security restricted", func(t *testing.T) { restricted(t, all["StatefulSet krt-store"]) })
	t.Run("the dashboard's pod meets Pod Security restricted", func(t *testing.T) { restricted(t, all["Deployment krt-dashboard"]) })
	t.Run("the dashboard may do nothing", func(t *testing.T) { dashboardRights(t, all) })
	t.Run("the controller may do what it does and no more", rights)
}

// restricted makes a pod as its controller would, in the namespace whose label has the
// apiserver refuse what is not restricted.
func restricted(t *testing.T, of *unstructured.Unstructured) {
	template := of.Object["spec"].(object)["template"].(object)
	spec := template["spec"].(object)
	if of.GetKind() == "StatefulSet" {
		spec["volumes"] = append(spec["volumes"].([]any), object{"name": "data", "persistentVolumeClaim": object{"claimName": "data-x-0"}})
	}
	pod := object{"apiVersion": "v1", "kind": "Pod", "metadata": object{"name": "of-config"}, "spec": spec}
	pods := "/api/v1/namespaces/krt-system/pods" + dry
	requireAccepted(t, send(t, http.MethodPost, pods, pod))

	delete(template["spec"].(object), "securityContext")
	a := send(t, http.MethodPost, pods, pod)
	require.Equal(t, http.StatusForbidden, a.code, "the namespace has the label: %v", a.body)
}

func rights(t *testing.T) {
	may := func(user, namespace, verb, group, resource, sub string) bool {
		review := object{"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": object{
			"user": user, "groups": list("system:authenticated"),
			"resourceAttributes": object{"namespace": namespace, "verb": verb, "group": group, "resource": resource, "subresource": sub},
		}}
		a := send(t, http.MethodPost, "/apis/authorization.k8s.io/v1/subjectaccessreviews", review)
		requireAccepted(t, a)
		return a.body["status"].(object)["allowed"].(bool)
	}
	const controller = "system:serviceaccount:krt-system:krt-controller"
	for _, tt := range []struct { // what it may do first: the apiserver learns of roles some time after they are made
		namespace, verb, group, resource, sub string
		want                                  bool
	}{
		{"kre", "patch", "krt.dev", "versions", "", true},
		{"kre", "patch", "krt.dev", "versions", "status", true},
		{"kre", "update", "krt.dev", "runtimes", "finalizers", true},
		{"kre", "patch", "serving.knative.dev", "services", "", true},
		{"kre", "list", "serving.knative.dev", "revisions", "", true},
		{"kre", "delete", "flows.knative.dev", "sequences", "", true},
		{"kre", "create", "policy", "poddisruptionbudgets", "", true},
		{"kre", "list", "", "pods", "", true},
		{"kre", "create", "events.k8s.io", "events", "", true},
		{"kre", "get", "", "secrets", "", true},
		{"kre", "delete", "", "secrets", "", true},
		{"krt-system", "update", "coordination.k8s.io", "leases", "", true},
		{"krt-system", "create", "", "secrets", "", true},
		{"", "list", "", "nodes", "", true},
		{"kre", "create", "krt.dev", "versions", "", false},
		{"kre", "delete", "krt.dev", "versions", "", false},
		{"kre", "get", "", "pods", "log", false},
		{"kre", "create", "", "pods", "exec", false},
		{"kre", "delete", "", "pods", "", false},
		{"kre", "update", "", "secrets", "", false},
		{"kre", "create", "rbac.authorization.k8s.io", "rolebindings", "", false},
		{"kre", "update", "coordination.k8s.io", "leases", "", false},
		{"krt-system", "update", "", "secrets", "", false},
		{"", "patch", "", "nodes", "", false},
	} {
		if tt.want {
			require.True(t, apiserver.Soon(t.Context(), func() bool {
				return may(controller, tt.namespace, tt.verb, tt.group, tt.resource, tt.sub)
			}), "%+v", tt)
		} else {
			require.False(t, may(controller, tt.namespace, tt.verb, tt.group, tt.resource, tt.sub), "%+v", tt)
		}
	}
}

// dashboardRights requires that the dashboard's account has no rights, and that its pod could
// not use them: what it does it does with the tokens of its users.
func dashboardRights(t *testing.T, all map[string]*unstructured.Unstructured) {
	for _, o := range []*unstructured.Unstructured{all["Deployment krt-dashboard"], all["ServiceAccount krt-dashboard"]} {
		mounted, found, err := unstructured.NestedBool(o.Object, "automountServiceAccountToken")
		if o.GetKind() == "Deployment" {
			mounted, found, err = unstructured.NestedBool(o.Object, "spec", "template", "spec", "automountServiceAccountToken")
		}
		require.NoError(t, err)
		require.True(t, found && !mounted, o.GetKind())
	}
	for _, o := range all {
		text, err := json.Marshal(o.Object["subjects"])
		require.NoError(t, err)
		require.NotContains(t, string(text), "krt-dashboard", o.GetName())
	}
	for _, namespace := range []string{"krt-system", "default"} {
		c, err := cluster.New(server.As("krt-system", "krt-dashboard"), namespace)
		require.NoError(t, err)
		missing, err := c.Missing(t.Context(), cluster.UserRights())
		require.NoError(t, err)
		require.Equal(t, cluster.UserRights(), missing)
	}
}
