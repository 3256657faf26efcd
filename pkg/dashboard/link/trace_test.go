package link

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTraceLink(t *testing.T) {
	for _, wrong := range []string{
		"jaeger/{traceId}", "http://jaeger/", "javascript:alert('{traceId}')", "http://{traceId}/x", "http://u:p@jaeger/{traceId}",
		"file:///{traceId}", "http://jaeger/{traceId}\x00",
	} {
		_, err := ParseTrace(wrong)
		require.Error(t, err, wrong)
	}
	none, err := ParseTrace("")
	require.NoError(t, err)
	require.Empty(t, none.Of("0af7651916cd43dd8448eb211c80319c"))
	link, err := ParseTrace("https://traces.example.com/ui?trace={traceId}")
	require.NoError(t, err)
	require.Empty(t, link.Of("x\"><script>"))
	require.Empty(t, link.Of(""))
	require.Equal(t, "https://traces.example.com/ui?trace=0af7651916cd43dd8448eb211c80319c", link.Of("0af7651916cd43dd8448eb211c80319c"))
}
