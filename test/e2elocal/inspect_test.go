//go:build linux

package e2elocal_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/test/localrun"
)

// What the commands show of a version that runs on this machine, of messages between nodes too.
func TestInspectALocalRun(t *testing.T) {
	localrun.NeedPython(t)
	v := localrun.Start(t, "../../functions/price-estimator", "--set", "OUTPUT_PRICE_CURRENCY=EUR")
	const room = `{"borough": "Queens", "room_type": "Private room", "accommodates": 2, "bedrooms": 1,
		"bathrooms": 1, "beds": 1, "latitude": 40.73, "longitude": -73.86}`
	inspect := func(room string) (string, int) {
		return localrun.Command(t, "invoke", "ny-room-price", "--inspect", "-d", room,
			"--address", v.GRPC, "--inspect-address", v.Inspection)
	}
	out, code := inspect(room)
	require.Zero(t, code, out)
	for _, want := range []string{
		"\nOutput of etl: roomprice.internal.EtlOutput, ", "\nInput of model: the output of etl\n",
		"\nOutput of model: roomprice.internal.ModelOutput, ", "\nResponse: the output of output\n",
	} {
		require.Contains(t, out, want)
	}
	require.NotContains(t, out, "base64")

	out, code = inspect(strings.Replace(room, "Private room", "Castle", 1))
	require.Zero(t, code, out)
	require.Contains(t, out, "(early exit)")
	require.Contains(t, out, "\nResponse: the output of etl\n")

	out, code = inspect(strings.Replace(room, "Queens", "Atlantis", 1))
	require.NotZero(t, code)
	require.Contains(t, out, "\nOutput of model: none, it failed\n")

	out, code = localrun.Command(t, "requests", "--address", v.Inspection, "--failed")
	require.Zero(t, code, out)
	require.Equal(t, 2, strings.Count(out, "\n"), out)
	require.Contains(t, out, "node model: HANDLER_ERROR: error in 'model'")
}
