package apiserver

import (
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"krt.dev/kn-krt/pkg/cluster"
)

// inNoName is what the name of a test may have and that of a namespace may not.
var inNoName = regexp.MustCompile(`[^a-z0-9]+`)

// longestPrefix is what five characters can be added to.
const longestPrefix = 58

// NewNamespace makes a namespace that is named after the test.
func NewNamespace(t testing.TB, admin client.Client) (name string) {
	t.Helper()
	prefix := inNoName.ReplaceAllString(strings.ToLower(t.Name()), "-") + "-"
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: prefix[:min(len(prefix), longestPrefix)]}}
	require.NoError(t, admin.Create(t.Context(), namespace))
	return namespace.Name
}

// AsUser is the configuration of a user without any rights but those of [Allow].
func (s *Server) AsUser(name string) *rest.Config {
	config := s.Config()
	config.Impersonate.UserName = name
	return config
}

// Allow gives a user, of [Server.AsUser] or [Server.As], more rights in a namespace, and returns
// when the user has them.
func Allow(t testing.TB, admin client.Client, user *rest.Config, namespace string, rights ...cluster.Right) {
	t.Helper()
	role := &rbacv1.Role{ObjectMeta: metav1.ObjectMeta{GenerateName: "test-", Namespace: namespace}}
	for _, r := range rights {
		resource := r.Resource
		if r.Subresource != "" {
			resource += "/" + r.Subresource
		}
		role.Rules = append(role.Rules, rbacv1.PolicyRule{Verbs: []string{r.Verb}, APIGroups: []string{r.Group}, Resources: []string{resource}})
	}
	require.NoError(t, admin.Create(t.Context(), role))
	require.NoError(t, admin.Create(t.Context(), &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: role.Name, Namespace: namespace},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: role.Name},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: user.Impersonate.UserName}},
	}))
	c, err := cluster.New(user, namespace)
	require.NoError(t, err)
	require.True(t, Soon(t.Context(), func() bool {
		missing, err := c.Missing(t.Context(), rights)
		return err == nil && len(missing) == 0
	}), "the rights are known")
}
