package depcheck

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A client of the cluster has a command line and a dashboard as its users: what it reports,
// it returns or passes to a callback.
func TestClusterReportsValues(t *testing.T) {
	seen := 0
	eachGoFile(t, func(t *testing.T, name string, text []byte) {
		if !strings.HasPrefix(name, "pkg/cluster/") || strings.HasSuffix(name, "_test.go") {
			return
		}
		seen++
		for _, printing := range []string{"io.Writer", "fmt.Fprint", "fmt.Print", "time.Sleep("} {
			require.NotContainsf(t, string(text), printing, "%s: pkg/cluster returns values and calls back", name)
		}
	})
	require.NotZero(t, seen)
}
