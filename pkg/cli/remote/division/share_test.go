package division

import (
	"testing"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
)

// divided is a Runtime that publishes a and has the canary b, if weight or mirror is not 0.
func divided(weight, mirror int32) *v1alpha1.Runtime {
	r := &v1alpha1.Runtime{}
	r.Status.PublishedVersion = "a"
	if weight+mirror > 0 {
		r.Status.Canary = &v1alpha1.CanaryStatus{Version: "b", Phase: v1alpha1.CanaryServing, Weight: weight, Mirror: mirror}
	}
	return r
}

func TestOf(t *testing.T) {
	for name, one := range map[string]struct {
		runtime *v1alpha1.Runtime
		a, b, c string
	}{
		"nothing":     {nil, "", "", ""},
		"no canary":   {divided(0, 0), "100 %", "", ""},
		"a canary":    {divided(10, 0), "90 %", "10 % (canary)", ""},
		"with copies": {divided(10, 50), "90 %", "10 %, copies of 50 % (canary)", ""},
		"copies only": {divided(0, 50), "100 %", "copies of 50 % (canary)", ""},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, []string{one.a, one.b, one.c}, []string{Of(one.runtime, "a"), Of(one.runtime, "b"), Of(one.runtime, "c")})
		})
	}
}
