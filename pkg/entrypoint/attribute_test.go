package entrypoint_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestABadAttributeIsNamed: and not one that is there.
func TestABadAttributeIsNamed(t *testing.T) {
	f := served(t)
	for header, want := range map[string]string{
		"Ce-My-Bad": "the header ce-my-bad is not an attribute",
		"Ce-Time":   `ce-time is \"yesterday\"; it must be a time`,
	} {
		got := f.request(http.MethodPost, f.web+"/", `{}`, binaryEvent("flow", "application/json", header, "yesterday")...)
		require.Equal(t, 400, got.status, got.body)
		require.Contains(t, got.body, want)
		require.NotContains(t, got.body, "specversion")
	}
}
