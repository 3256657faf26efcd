package mongo

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
)

// What fails for one namespace or collection does not keep retention from the others, unless the server is away.
func TestAllAreTried(t *testing.T) {
	first, third := errors.New("first"), errors.New("third")
	tried := ""
	do := func(name string) error {
		tried += name
		return map[string]error{"a": first, "c": third}[name]
	}
	up := true
	goesOn := func() bool { return up }
	err := tryAll([]string{"a", "b", "c", "d"}, do, goesOn)
	require.ErrorIs(t, err, first)
	require.ErrorIs(t, err, third)
	require.Equal(t, "abcd", tried)
	require.Equal(t, third, tryAll([]string{"b", "c"}, do, goesOn))
	require.NoError(t, tryAll([]string{"b", "d"}, do, goesOn))
	tried, up = "", false
	require.Equal(t, first, tryAll([]string{"a", "b"}, do, goesOn))
	require.Equal(t, "a", tried)
}
