package version

import (
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
)

func TestReplyKeysOfVersionsThatAreGoneAreForgotten(t *testing.T) {
	v, other := testVersion(), testVersion()
	v.UID, other.UID, other.Name = "1", "2", "other"
	k := replyKeys{made: map[types.NamespacedName]*corev1.Secret{}}
	for _, one := range []*corev1.Secret{replySecret(v), replySecret(other)} {
		k.made[types.NamespacedName{Namespace: one.Namespace, Name: one.Name}] = one
	}
	k.keep(map[types.UID]bool{"2": true})
	require.Len(t, k.made, 1)
	k.keep(nil)
	require.Empty(t, k.made)
}
