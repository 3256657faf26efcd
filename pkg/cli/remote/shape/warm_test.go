package shape

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
)

func TestTheGPUsOfANodeAreShown(t *testing.T) {
	for want, n := range map[string]v1alpha1.Node{
		"a":                          {Name: "a", GPURequest: &v1alpha1.GPURequest{Count: new(int32(2))}},
		"a (GPU)":                    {Name: "a", GPU: true},
		"a (2 × GPU)":                {Name: "a", GPU: true, GPURequest: &v1alpha1.GPURequest{Count: new(int32(2))}},
		"a (nvidia.com/mig-1g.10gb)": {Name: "a", GPU: true, GPURequest: &v1alpha1.GPURequest{Resource: "nvidia.com/mig-1g.10gb"}},
		"a (2 × amd.com/gpu)":        {Name: "a", GPU: true, GPURequest: &v1alpha1.GPURequest{Resource: "amd.com/gpu", Count: new(int32(2))}},
	} {
		require.Equal(t, want, NodeName(n))
	}
}

func TestWhetherNodesAreKeptUpIsShown(t *testing.T) {
	until := metav1.NewTime(time.Date(2026, 1, 2, 15, 4, 5, 0, time.Local))
	for want, w := range map[string]*v1alpha1.Warm{
		"":                          nil,
		"until 2026-01-02 15:04:05": {Until: until},
		"until 2026-01-02 15:04:05, not up yet: etl, model": {Until: until, Waiting: []string{"etl", "model"}},
		"until 2026-01-02 15:04:05, not up yet: etl (the response has status 503)": {Until: until, Waiting: []string{"etl"},
			Message: "the response has status 503"},
		`krt.dev/warm-until: "x" is not a time`: {Message: `krt.dev/warm-until: "x" is not a time`},
	} {
		v := &v1alpha1.Version{}
		v.Status.Warm = w
		require.Equal(t, want, Warm(v))
	}
}
