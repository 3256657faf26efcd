package conformance_test

import (
	"bytes"
	"compress/gzip"
	"net/http"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/test/conformance/node"
)

// clientCases are what clients of the web port send besides the message.
func clientCases() []testCase {
	return []testCase{
		{name: "web: the client's deadline, in each protocol", run: webDeadline},
		{name: "web: a request of another site's page is refused, and runs nothing", run: crossSite},
		{name: "event in: compressed, attributes percent-encoded", run: compressedEvent},
	}
}

func webDeadline(v *version) {
	for name, header := range map[string]http.Header{
		"Connect":         {"Content-Type": {"application/json"}, "Connect-Timeout-Ms": {"1000"}},
		"Request-Timeout": {"Content-Type": {"application/json"}, "Request-Timeout": {"1"}},
	} {
		v.untilReached("n2", func(in *node.Request) {
			got, err := v.send(http.MethodPost, v.Web()+"/conformance.Entrypoint/Three", asJSON(v, in), header)
			require.NoError(v.t, err)
			require.Equal(v.t, http.StatusGatewayTimeout, got.status, "%s: %s", name, got.body)
		})
	}
}

func crossSite(v *version) {
	in := request("n3")
	for _, path := range []string{"/conformance.Entrypoint/Three", "/workflows/three"} {
		header := producerHeader("application/x-www-form-urlencoded", newID())
		header.Set("Origin", "https://elsewhere.example.com")
		got, err := v.send(http.MethodPost, v.Web()+path, asJSON(v, in), header)
		require.NoError(v.t, err)
		require.Equal(v.t, http.StatusForbidden, got.status, got.body)
	}
	require.Equal(v.t, []int{0, 0, 0}, v.runs(in, names(3)...))
}

func compressedEvent(v *version) {
	in := request("n3")
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	_, err := w.Write(asJSON(v, in))
	require.NoError(v.t, err)
	require.NoError(v.t, w.Close())
	header := producerHeader("application/json", "caf%C3%A9")
	header.Set("Content-Encoding", "gzip")
	got, err := v.send(http.MethodPost, v.Web()+"/workflows/three", packed.Bytes(), header)
	require.NoError(v.t, err)
	v.answersEvent(got, "caf%C3%A9")
	require.Equal(v.t, names(3), visited(fromJSON(v, got.body)))
}
