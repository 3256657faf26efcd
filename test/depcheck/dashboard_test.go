package depcheck

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// The pages of the dashboard are those of a local run too: a source and the program in
// a cluster alone know clusters.
func TestDashboardKnowsNoCluster(t *testing.T) {
	seen := 0
	for _, p := range list(t, "../..", "./pkg/dashboard/...") {
		if withinAny(p.ImportPath, []string{module + "/pkg/dashboard/cluster", module + "/pkg/dashboard/service"}) {
			continue
		}
		seen++
		for _, dep := range p.Deps {
			require.Falsef(t, withinAny(dep, kubernetes), "%s depends on %s: pages know no cluster", p.ImportPath, dep)
		}
	}
	require.NotZero(t, seen)
}
