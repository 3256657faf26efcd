package version

import (
	"testing"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
)

func TestWhoMayHaveAStream(t *testing.T) {
	with := func(secret string) *v1alpha1.StartedWith { return &v1alpha1.StartedWith{QueueSecret: secret} }
	for _, tt := range []struct {
		name     string
		delivery v1alpha1.Delivery
		stream   bool
		with     *v1alpha1.StartedWith
		want     bool
	}{
		{"never durable", v1alpha1.DeliveryDirect, false, with(""), false},
		{"stopped, never durable", v1alpha1.DeliveryDirect, false, nil, false},
		{"durable", v1alpha1.DeliveryDurable, true, with("q"), true},
		{"to be started as durable", v1alpha1.DeliveryDurable, false, nil, true},
		{"started by an older kn-krt, then changed", v1alpha1.DeliveryDirect, false, with("q"), true},
		{"stopped, then changed", v1alpha1.DeliveryDirect, true, nil, true},
		{"stopped, changed, started again", v1alpha1.DeliveryDirect, true, with(""), true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			v := testVersion()
			v.Spec.Entrypoint.Delivery, v.Status.Stream = tt.delivery, tt.stream
			require.Equal(t, tt.want, mayHaveStream(v, tt.with))
		})
	}
}
