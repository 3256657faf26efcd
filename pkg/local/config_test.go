package local

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/krt"
	"krt.dev/kn-krt/pkg/krt/configvalue"
)

func write(t *testing.T, path, content string) string {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
	return path
}

func TestConfigFilesByImage(t *testing.T) {
	original := krt.Node{Name: "old", Image: "registry.example.com/konstellation/kre-py:1.23.1"}
	ours := krt.Node{Name: "new", Image: "kn-krt-python"}
	b := &krt.Bundle{Manifest: &krt.Manifest{Version: "v1", Nodes: []krt.Node{original, ours}, Config: krt.Config{Files: []string{"CERT"}}}}
	p := place{}
	c := configvalue.Source{Files: map[string]string{"CERT": write(t, filepath.Join(t.TempDir(), "cert.pem"), "a\nb")}}
	folder := t.TempDir()
	require.NoError(t, p.gather(c, b.Manifest, folder))
	path := filepath.Join(folder, "CERT")
	require.Equal(t, map[string]string{"CERT": path}, p.files)
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode())
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, "a\nb", string(content))

	env := p.variables(b, original)
	require.Contains(t, env, "CERT=a\nb")
	require.Contains(t, env, "CERT_PATH="+path)
	env = p.variables(b, ours)
	require.Contains(t, env, "CERT="+path)
	require.NotContains(t, env, "CERT_PATH="+path)

	c.Files["CERT"] = write(t, filepath.Join(t.TempDir(), "large.pem"), strings.Repeat("x", 128<<10))
	require.EqualError(t, p.gather(c, b.Manifest, folder), `config file "CERT": node "old" gets its content as $CERT, because its image is `+
		`registry.example.com/konstellation/kre-py:1.23.1: it has 131072 bytes, and an environment variable has at most 128 KiB with its name`)
	b.Manifest.Nodes = b.Manifest.Nodes[1:]
	require.NoError(t, p.gather(c, b.Manifest, folder))
}
