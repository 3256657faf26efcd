package docs_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/test/docs/page"
	"krt.dev/kn-krt/test/docs/shell"
)

// root is the repository.
const root = "../.."

// unmarked are the pages whose blocks have no markers yet. A page leaves this list with its last such block.
var unmarked = []string{}

func pages(t *testing.T) []*page.Page {
	t.Helper()
	all, err := page.All(root)
	require.NoError(t, err)
	require.NotEmpty(t, all)
	return all
}

// TestEveryBlockHasAMarker reports what is not executed, with the reasons.
func TestEveryBlockHasAMarker(t *testing.T) {
	count, skipped := map[page.How]int{}, []string{}
	for _, p := range pages(t) {
		missing := 0
		for _, b := range p.Blocks {
			m, err := b.Marker()
			if err != nil {
				missing++
				assert.Truef(t, slices.Contains(unmarked, p.Name), "%s: %v (CONTRIBUTING.md lists the markers)", b.At(), err)
				continue
			}
			count[m.How]++
			switch m.How {
			case page.Skip:
				skipped = append(skipped, b.At()+": "+m.Value)
			case page.Checked:
				assert.FileExistsf(t, filepath.Join(root, m.Value), "%s is said to be checked by it", b.At())
			}
		}
		if slices.Contains(unmarked, p.Name) {
			assert.NotZerof(t, missing, "all blocks of %s have markers: remove it from the list of those that have not", p.Name)
		}
	}
	t.Logf("blocks by marker: %v", count)
	t.Logf("not executed:\n%s", strings.Join(skipped, "\n"))
}

// TestBlocksOnThisMachine executes what is marked with run and background. KRT_DOCS_LONG=1 executes the
// pages that are marked as long, too.
func TestBlocksOnThisMachine(t *testing.T) {
	machine, err := shell.Local(t.Context(), programs)
	require.NoError(t, err)
	machine.Files = []string{filepath.Join(root, "functions")}
	var apart bool
	machine.Wrap, apart = shell.Network(t.Context())
	long := os.Getenv("KRT_DOCS_LONG") != ""
	for _, p := range pages(t) {
		if slices.Contains(unmarked, p.Name) {
			continue
		}
		t.Run(p.Name, func(t *testing.T) {
			m := machine
			switch {
			case !takesLong(p):
			case !long:
				t.Skip("takes long: KRT_DOCS_LONG=1")
			default:
				m.Within = 10 * time.Minute
			}
			if apart {
				t.Parallel() // else the pages would meet at the ports that they name
			} else {
				m.Wrap = nil
			}
			count, err := m.Run(t.Context(), p, page.Run, t.TempDir())
			if err != nil {
				t.Error(err)
			}
			t.Logf("%d blocks executed", count)
		})
	}
}

func takesLong(p *page.Page) bool {
	return slices.ContainsFunc(p.Blocks, func(b page.Block) bool {
		m, err := b.Marker()
		return err == nil && m.Long
	})
}
