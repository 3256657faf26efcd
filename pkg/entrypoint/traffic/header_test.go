package traffic

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestAResponseHasOneLength: over HTTP/2 a canary may send several, of which HTTP/1.1 would make
// several responses.
func TestAResponseHasOneLength(t *testing.T) {
	require.Empty(t, responseOf(http.Header{"Content-Length": {"1", "2"}}))
	require.Equal(t, http.Header{"Content-Length": {"1"}}, responseOf(http.Header{"Content-Length": {"1"}}))
}
