package web

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Who follows a publish must know when the last connection to the former version
// is gone: none in use lives longer than its age, whatever the chance.
func TestNoConnectionOutlivesItsAge(t *testing.T) {
	const age = 2 * time.Minute
	require.Less(t, GRPCAge(age)*11/10, age-age/20, "grpc-go adds a tenth at most")
	require.Greater(t, GRPCAge(age)*9/10, age/2)
	require.Equal(t, age/2, httpAge(age, 0))
	require.Equal(t, age-age/4, httpAge(age, 1), "a quarter is left for the request whose response closes it")
}
