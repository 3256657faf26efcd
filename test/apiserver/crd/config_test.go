package crd_test

import (
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Where the kinds of config/ stand in the API. A kind that is missing here fails the test.
var paths = map[string]string{
	"Namespace":                "/api/v1/namespaces",
	"ServiceAccount":           "/api/v1/namespaces/krt-system/serviceaccounts",
	"ConfigMap":                "/api/v1/namespaces/krt-system/configmaps",
	"Service":                  "/api/v1/namespaces/krt-system/services",
	"ClusterRole":              "/apis/rbac.authorization.k8s.io/v1/clusterroles",
	"ClusterRoleBinding":       "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
	"Role":                     "/apis/rbac.authorization.k8s.io/v1/namespaces/krt-system/roles",
	"RoleBinding":              "/apis/rbac.authorization.k8s.io/v1/namespaces/krt-system/rolebindings",
	"CustomResourceDefinition": "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
	"Deployment":               "/apis/apps/v1/namespaces/krt-system/deployments",
}

// documents are the objects of config/ in the order in which they are applied.
func documents(t *testing.T) (all []object) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(config, "*.yaml"))
	require.NoError(t, err)
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, document := range regexp.MustCompile(`(?m)^---$`).Split(string(text), -1) {
			if o := parse(t, document); len(o) > 0 {
				all = append(all, o)
			}
		}
	}
	require.NotEmpty(t, all)
	return all
}

// install makes the objects of config/, each in its turn; unknown fields are errors.
func install(t *testing.T) (all []object) {
	t.Helper()
	all = documents(t)
	for _, o := range all {
		kind, name := o["kind"].(string), named(o)["name"].(string)
		require.NotEmpty(t, paths[kind], kind)
		if kind == "CustomResourceDefinition" {
			continue // the server began with them
		}
		a := send(t, http.MethodPost, paths[kind]+"?fieldValidation=Strict", o)
		requireAccepted(t, a)
		t.Cleanup(func() { send(t, http.MethodDelete, paths[kind]+"/"+name, nil) })
	}
	return all
}

// find returns the object of config/ of a kind and name.
func find(t *testing.T, all []object, kind, name string) object {
	t.Helper()
	for _, o := range all {
		if o["kind"] == kind && named(o)["name"] == name {
			return o
		}
	}
	require.FailNowf(t, "not in config/", "%s %q", kind, name)
	return nil
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
			labels := named(find(t, all, "ClusterRole", role))["labels"].(object)
			require.Equal(t, "true", labels[label], role)
		}
	})
	t.Run("the controller's pod meets Pod Security restricted", func(t *testing.T) { restricted(t, all) })
	t.Run("the controller may do what it does and no more", rights)
}

// restricted makes the controller's pod, as its Deployment would, in the namespace
// whose label has the apiserver refuse what is not restricted.
func restricted(t *testing.T, all []object) {
	template := find(t, all, "Deployment", "krt-controller")["spec"].(object)["template"].(object)
	pod := object{"apiVersion": "v1", "kind": "Pod", "metadata": object{"name": "controller"}, "spec": template["spec"]}
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
	require.Eventually(t, func() bool { return may(controller, "kre", "get", "krt.dev", "versions", "") },
		time.Minute, 50*time.Millisecond, "the apiserver learns of roles a moment after they are made")
	for _, tt := range []struct {
		namespace, verb, group, resource, sub string
		want                                  bool
	}{
		{"kre", "patch", "krt.dev", "versions", "", true},
		{"kre", "patch", "krt.dev", "versions", "status", true},
		{"kre", "update", "krt.dev", "runtimes", "finalizers", true},
		{"kre", "create", "krt.dev", "versions", "", false},
		{"kre", "delete", "krt.dev", "versions", "", false},
		{"kre", "patch", "serving.knative.dev", "services", "", true},
		{"kre", "list", "serving.knative.dev", "revisions", "", true},
		{"kre", "delete", "flows.knative.dev", "sequences", "", true},
		{"kre", "create", "policy", "poddisruptionbudgets", "", true},
		{"kre", "list", "", "pods", "", true},
		{"kre", "get", "", "pods", "log", false},
		{"kre", "create", "", "pods", "exec", false},
		{"kre", "delete", "", "pods", "", false},
		{"kre", "create", "events.k8s.io", "events", "", true},
		{"kre", "get", "", "secrets", "", true},
		{"kre", "delete", "", "secrets", "", false},
		{"kre", "update", "", "secrets", "", false},
		{"kre", "create", "rbac.authorization.k8s.io", "rolebindings", "", false},
		{"krt-system", "update", "coordination.k8s.io", "leases", "", true},
		{"kre", "update", "coordination.k8s.io", "leases", "", false},
		{"", "list", "", "nodes", "", true},
		{"", "patch", "", "nodes", "", false},
	} {
		require.Equal(t, tt.want, may(controller, tt.namespace, tt.verb, tt.group, tt.resource, tt.sub), "%+v", tt)
	}
}
