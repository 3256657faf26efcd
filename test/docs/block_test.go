package docs_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/test/docs/page"
	"krt.dev/kn-krt/test/docs/shell"
)

// root is the repository.
const root = "../.."

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
		for _, b := range p.Blocks {
			m, err := b.Marker()
			if err != nil {
				t.Errorf("%s: %v (CONTRIBUTING.md lists the markers)", b.At(), err)
				continue
			}
			count[m.How]++
			switch m.How {
			case page.Skip:
				skipped = append(skipped, b.At()+": "+m.Value)
			case page.Checked:
				if _, err := os.Stat(filepath.Join(root, m.Value)); err != nil {
					t.Errorf("%s is said to be checked by a file that is not there: %v", b.At(), err)
				}
			}
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
			// Not t.TempDir: the path of a Unix socket has at most 107 bytes.
			temp, err := os.MkdirTemp("", "page")
			require.NoError(t, err)
			defer os.RemoveAll(temp)
			count, err := m.Run(t.Context(), p, page.Run, temp)
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
