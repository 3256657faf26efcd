package cluster

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/cluster"
)

// However many namespaces have come and gone, a new one is followed, unless the user may read too many.
func TestNamespacesMakeRoom(t *testing.T) {
	client, err := cluster.New(&rest.Config{Host: "http://127.0.0.1:1"}, "default")
	require.NoError(t, err)
	scopeWith := func(err error) *scope {
		return &scope{versions: &part[*v1alpha1.Version, keptVersion]{err: err}, end: func() {}}
	}
	denied := &cluster.Error{Reason: cluster.ReasonForbidden}
	s := &Source{client: client, options: Options{Review: rightsTime}, scopes: map[string]*scope{metav1.NamespaceAll: scopeWith(denied)}}
	for i := range maxNamespaces - 1 {
		s.scopes[fmt.Sprint("read-", i)] = scopeWith(nil)
	}
	s.scopes["deleted"] = scopeWith(denied)

	followed := s.follow("new")
	require.NotNil(t, followed)
	t.Cleanup(followed.close)
	require.NotContains(t, s.scopes, "deleted")
	require.Contains(t, s.scopes, metav1.NamespaceAll)
	require.Len(t, s.scopes, maxNamespaces+1)
	require.Nil(t, s.follow("another"))
}
