package docs_test

import (
	"fmt"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
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
			t.Run(m.File, func(t *testing.T) {
				require.NoError(t, compile(t, b), b.At())
			})
			count[b.Language]++
		}
	}
	t.Logf("files: %v", count)
}

// TestTextsNameTheirFiles has the path of each file that a page writes in the text before the block: a
// reader does not see the marker.
func TestTextsNameTheirFiles(t *testing.T) {
	for _, p := range pages(t) {
		source, err := os.ReadFile(filepath.Join(root, p.Name))
		require.NoError(t, err)
		lines, before := strings.Split(string(source), "\n"), 0
		for _, b := range p.Blocks {
			text := strings.Join(lines[before:b.Line-1], "\n")
			before = b.Line + strings.Count(b.Text, "\n")
			m, err := b.Marker()
			if err != nil || m.File == "" {
				continue
			}
			_, within, inFolder := strings.Cut(m.File, "/") // a page may be in the folder of its version
			if !strings.Contains(text, "`"+m.File+"`") && (!inFolder || !strings.Contains(text, "`"+within+"`")) {
				t.Errorf("%s: the text before the block does not name `%s`, and a reader does not see the marker", b.At(), m.File)
			}
		}
	}
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
