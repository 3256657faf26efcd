package depcheck

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/runner/environment"
)

// TestEnvironmentIsDocumented holds the table in docs/reference/environment.md to the one that
// render, local runs and runners use.
func TestEnvironmentIsDocumented(t *testing.T) {
	text, err := os.ReadFile("../../docs/reference/environment.md")
	require.NoError(t, err)
	const head = "| variable | value | read by | set by |\n| --- | --- | --- | --- |\n"
	_, table, found := strings.Cut(string(text), head)
	require.Truef(t, found, "docs/reference/environment.md has no table with the head\n%s", head)
	table, _, _ = strings.Cut(table, "\n\n")
	var want []string
	for _, v := range environment.Table() {
		want = append(want, fmt.Sprintf("| `%s` | %s | %s | %s |", v.Name, v.Meaning, v.Readers, v.Source))
	}
	require.Equal(t, want, slices.Collect(func(yield func(string) bool) {
		for line := range strings.Lines(table) {
			if !yield(strings.TrimSpace(line)) {
				return
			}
		}
	}))
}
