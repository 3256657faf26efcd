package docs_test

import (
	"fmt"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/test/docs/page"
)

// TestFilesCompile has the files that pages write checked by their languages; the blocks after them run them.
func TestFilesCompile(t *testing.T) {
	count := map[string]int{}
	for _, p := range pages(t) {
		for _, b := range p.Blocks {
			m, err := b.Marker()
			if err != nil || m.How != page.File {
				continue
			}
			if err := compile(t, b); err != nil {
				t.Errorf("%s: %s: %v", b.At(), m.File, err)
			}
			count[b.Language]++
		}
	}
	t.Logf("files: %v", count)
}

func compile(t *testing.T, b page.Block) error {
	t.Helper()
	switch b.Language {
	case "go":
		_, err := parser.ParseFile(token.NewFileSet(), "file.go", b.Text, parser.AllErrors)
		return err
	case "python":
		python := os.Getenv("KRT_PYTHON")
		if python == "" {
			t.Skip("needs Python: KRT_PYTHON")
		}
		file := filepath.Join(t.TempDir(), "file.py")
		require.NoError(t, os.WriteFile(file, []byte(b.Text), 0o600))
		out, err := exec.CommandContext(t.Context(), python, "-m", "py_compile", file).CombinedOutput()
		if err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
	}
	return nil
}
