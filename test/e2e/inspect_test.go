package e2e_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/inspection"
)

// inspectedRequest is a room that the model knows.
const inspectedRequest = `{"borough": "Queens", "room_type": "Private room", "accommodates": 2, "bedrooms": 1,
	"bathrooms": 1, "beds": 1, "latitude": 40.73, "longitude": -73.86}`

// Each step's input and output of a request that asks for it, by both deliveries, with two
// replicas of the entrypoint; what must not be kept is in none of them.
func TestKnKrtInspect(t *testing.T) {
	t.Parallel()
	for _, delivery := range []string{"Sequence", "Direct"} {
		t.Run(delivery, func(t *testing.T) {
			c := newCLI(t)
			const version = "price-estimator-v1"
			c.krt("create", inspectable(t), "--base=python="+os.Getenv("KRT_PYTHON_BASE"), "--set=OUTPUT_PRICE_CURRENCY=EUR", "--delivery="+delivery)
			c.In("patch", "version", version, "--type=merge", "--patch", `{"spec": {"entrypoint": {"replicas": 2}}}`)
			c.krt("start", version)
			c.inspectsARequest(version)
			c.inspectsAnExit(version)
			c.inspectsAnError(version)
			c.listsRequests(version)
		})
	}
}

// A version that does not allow it keeps no message, and says what to do.
func TestKnKrtInspectTakesConsent(t *testing.T) {
	t.Parallel()
	c := newCLI(t)
	const version = "price-estimator-v1"
	c.create("../../functions/price-estimator", "--set=OUTPUT_PRICE_CURRENCY=EUR", "--delivery=Direct")
	out := c.krt("invoke", version, "ny-room-price", "-d", inspectedRequest, "--inspect")
	require.Contains(t, out, "The request was not inspected: the version does not allow it. Add 'inspect: {}' below 'entrypoint:'")
	id := c.requests(version)[0].ID
	require.Contains(t, c.krt("requests", version, id), "\nIts messages were not kept.\n")
}

// inspectable is a copy of the price estimator that allows inspection, but not of where a room is.
func inspectable(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "bundle")
	require.NoError(t, os.CopyFS(dir, os.DirFS("../../functions/price-estimator")))
	path := filepath.Join(dir, "krt.yml")
	manifest, err := os.ReadFile(path)
	require.NoError(t, err)
	const proto = "  proto: public_input.proto\n"
	require.Contains(t, string(manifest), proto)
	text := strings.Replace(string(manifest), proto, proto+"  inspect: {redact: [latitude]}\n", 1)
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return dir
}

func (c cli) inspectsARequest(version string) {
	c.t.Helper()
	out := c.krt("invoke", version, "ny-room-price", "-d", inspectedRequest, "--inspect")
	for _, want := range []string{
		`"currency": "EUR"`, "\nresult    OK in ", "\nRequest: roomprice.Request, ",
		"\nOutput of etl: roomprice.internal.EtlOutput, ", "\nInput of model: the output of etl\n",
		"\nOutput of model: roomprice.internal.ModelOutput, ", "\nInput of output: the output of model\n",
		"\nOutput of output: roomprice.Response, ", "\nResponse: the output of output",
		`"latitude": "[redacted]"`, `"longitude": -73.86`,
	} {
		require.Contains(c.t, out, want)
	}
	require.NotContains(c.t, out, "40.73")
	require.NotContains(c.t, out, "base64")
}

func (c cli) inspectsAnExit(version string) {
	c.t.Helper()
	castle := strings.Replace(inspectedRequest, "Private room", "Castle", 1)
	out := c.krt("invoke", version, "ny-room-price", "-d", castle, "--inspect")
	require.Contains(c.t, out, "(early exit)")
	require.Contains(c.t, out, "\nOutput of etl: roomprice.Response, ")
	require.Contains(c.t, out, "\nResponse: the output of etl")
	require.NotContains(c.t, out, "Output of model")
}

func (c cli) inspectsAnError(version string) {
	c.t.Helper()
	atlantis := strings.Replace(inspectedRequest, "Queens", "Atlantis", 1)
	out, err := c.Try("", "env", c.words([]string{"invoke", version, "ny-room-price", "-d", atlantis, "--inspect"})...)
	require.ErrorContains(c.t, err, "Error: INTERNAL: error in 'model': borough 'Atlantis' is unknown to the model")
	require.Contains(c.t, out, "\nerror     node model: HANDLER_ERROR: ")
	require.Contains(c.t, out, "\nOutput of etl: roomprice.internal.EtlOutput, ")
	require.Contains(c.t, out, "\nOutput of model: none, it failed\n")
}

// requests are those that the version keeps, newest first.
func (c cli) requests(version string, more ...string) (all []inspection.Request) {
	c.t.Helper()
	for line := range strings.SplitSeq(c.krt(append([]string{"requests", version, "-o", "json"}, more...)...), "\n") {
		var r inspection.Request
		require.NoError(c.t, json.Unmarshal([]byte(line), &r), line)
		all = append(all, r)
	}
	return all
}

// listsRequests lists those of both replicas together, and shows one as JSON.
func (c cli) listsRequests(version string) {
	c.t.Helper()
	c.krt("invoke", version, "ny-room-price", "-d", inspectedRequest)
	all := c.requests(version)
	require.Len(c.t, all, 4)
	require.False(c.t, all[0].Inspected, "it did not ask for that")
	for i := 1; i < len(all); i++ {
		require.False(c.t, all[i].End().After(all[i-1].End()), "newest first")
	}
	failed := c.requests(version, "--failed", "--node", "model")
	require.Len(c.t, failed, 1)
	require.Equal(c.t, "HANDLER_ERROR", failed[0].Reason)
	require.NotEmpty(c.t, failed[0].Replica)

	var one inspection.Request
	require.NoError(c.t, json.Unmarshal([]byte(c.krt("requests", version, failed[0].ID, "-o", "json")), &one))
	require.Equal(c.t, failed[0].Replica, one.Replica)
	require.Contains(c.t, string(one.Steps[0].Output.JSON), "[redacted]")
	require.Regexp(c.t, regexp.MustCompile(`(?m)^TIME +WORKFLOW +CODE +DURATION +STEPS +ID `), c.krt("requests", version, "--limit", "3"))
	c.refused(`does not keep a request "0123"`, "requests", version, "0123")
	c.refused(`has no node "modl"; did you mean "model"?`, "requests", version, "--node", "modl")
}
