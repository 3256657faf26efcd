package entrypoint

import (
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/mem"

	"krt.dev/kn-krt/pkg/entrypoint/delivery"
	"krt.dev/kn-krt/pkg/entrypoint/memory"
	"krt.dev/kn-krt/pkg/runner/dict"
	"krt.dev/kn-krt/pkg/runner/event"
)

const testBudget = 64 << 20

// The response made of a dict is counted until it is sent, as any other.
func TestTheResponseOfADictIsCounted(t *testing.T) {
	b := memory.New(testBudget, new(atomic.Int64), 16)
	e := &Entrypoint{budget: b, buffers: memory.NewPool(b)}
	output := (&grpc_health_v1.HealthCheckRequest{}).ProtoReflect().Descriptor()
	r := &request{ticket: ticket{entry: e, route: &route{output: output}}}
	for _, n := range []int{0, 1, 1 << 20} {
		message, data, err := dict.Encode([]byte(`{"service":"` + strings.Repeat("x", n) + `"}`))
		require.NoError(t, err)
		out := r.readDict(&delivery.Parcel{Event: &event.Event{Message: message}, Data: mem.SliceBuffer(data)})
		require.Nil(t, out.failure)
		require.GreaterOrEqual(t, b.Used(), int64(max(n, 2<<10)))
		out.data.Free()
		require.Zero(t, b.Used())
	}
	e.buffers.Get(testBudget)
	message, data, err := dict.Encode([]byte(`{"service":"x"}`))
	require.NoError(t, err)
	out := r.readDict(&delivery.Parcel{Event: &event.Event{Message: message}, Data: mem.SliceBuffer(data)})
	require.Equal(t, memory.Refusal(memory.ErrFull).GetMessage(), out.failure.GetMessage())
}
