package apply

import (
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/types"
)

func TestMemoryForgetsWhatIsGone(t *testing.T) {
	var a Applier
	form := map[string]any{"spec": map[string]any{}}
	for _, name := range []string{"one", "two", "three"} {
		w := &wanted{key: types.NamespacedName{Name: name}, of: types.UID("owner of " + name), hash: "1"}
		a.settled.keep(w, form)
		require.True(t, a.settled.knows(w, form))
	}
	a.settled.forget(object{key: types.NamespacedName{Name: "one"}})
	require.Len(t, a.settled.objects, 2)
	a.Keep(map[types.UID]bool{"owner of two": true})
	require.Len(t, a.settled.objects, 1)
	require.True(t, a.settled.knows(&wanted{key: types.NamespacedName{Name: "two"}, of: "owner of two", hash: "1"}, form))
}
