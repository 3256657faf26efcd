package runtime

import (
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/types"

	"krt.dev/kn-krt/pkg/apply"
	"krt.dev/kn-krt/pkg/controller/canary"
	"krt.dev/kn-krt/pkg/controller/watch"
)

func TestSwitchesOfRuntimesThatAreGoneAreForgotten(t *testing.T) {
	r := &reconciler{switches: map[types.UID]transition{"1": {}, "2": {}}, applier: &apply.Applier{}, plans: canary.NewWalker(nil, 0)}
	r.sweep(watch.Existing{UIDs: map[types.UID]bool{"2": true}})
	require.Equal(t, map[types.UID]transition{"2": {}}, r.switches)
}
