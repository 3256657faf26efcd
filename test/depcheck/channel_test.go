package depcheck

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestOnlyPackageChannelNamesKindsOfChannels: what differs from kind to kind is in one file of
// that package each. Texts of settings and comments may name one as an example.
func TestOnlyPackageChannelNamesKindsOfChannels(t *testing.T) {
	kinds := []string{"InMemoryChannel", "inmemorychannel", "KafkaChannel", "NatsJetStreamChannel", "async-handler"}
	examples := map[string]bool{"../../pkg/render/keys.go": true}
	for _, root := range []string{"../../pkg", "../../cmd"} {
		require.NoError(t, filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") ||
				filepath.Dir(path) == "../../pkg/channel" || examples[path] {
				return err
			}
			file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
			require.NoError(t, err)
			ast.Inspect(file, func(n ast.Node) bool {
				var text []byte
				switch n := n.(type) {
				case *ast.Ident:
					text = []byte(n.Name)
				case *ast.BasicLit:
					text = []byte(n.Value)
				}
				for _, kind := range kinds {
					require.Falsef(t, bytes.Contains(text, []byte(kind)), "%s names %s: that belongs in pkg/channel", path, kind)
				}
				return true
			})
			return nil
		}))
	}
}
