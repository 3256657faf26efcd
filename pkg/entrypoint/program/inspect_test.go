package program

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/schema"
)

// folder writes a folder with a configuration, a contract and descriptors of a message that
// the contract does not have.
func folder(t *testing.T, config string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"entrypoint.json": config,
		"public.proto":    `syntax = "proto3"; message M { string text = 1; } service S { rpc R(M) returns (M); }`,
		"between.proto":   `syntax = "proto3"; message Between {}`,
	} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	between, err := schema.Compile(t.Context(), os.DirFS(dir), "between.proto", schema.Options{})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "descriptors.pb"), between.Descriptors(), 0o600))
	return dir
}

func TestInspectionIsConfigured(t *testing.T) {
	dir := folder(t, `{"version": "v", "proto": "public.proto",
		"inspect": {"share": 5, "payloadBytes": 2048, "redact": ["a.b"], "descriptors": "descriptors.pb"}}`)
	c, err := readConfig(filepath.Join(dir, "entrypoint.json"))
	require.NoError(t, err)
	require.Equal(t, "127.0.0.1:8082", c.Inspection)
	v, err := c.version(t.Context(), dir)
	require.NoError(t, err)
	require.Equal(t, 5, v.Inspect.Share)
	require.Equal(t, 2048, v.Inspect.PayloadBytes)
	require.Equal(t, []string{"a.b"}, v.Inspect.Redact)
	_, err = v.Inspect.Messages.FindDescriptorByName("Between")
	require.NoError(t, err)
}

func TestInspectionThatCannotBeUsed(t *testing.T) {
	for config, want := range map[string]string{
		`{"version": "v", "proto": "public.proto", "inspect": {"descriptors": "none.pb"}}`: "inspect: open none.pb: " +
			"no such file or directory",
		`{"version": "v", "proto": "public.proto", "inspect": {"descriptors": "entrypoint.json"}}`: "inspect: the descriptors cannot be decoded",
	} {
		dir := folder(t, config)
		c, err := readConfig(filepath.Join(dir, "entrypoint.json"))
		require.NoError(t, err)
		_, err = c.version(t.Context(), dir)
		require.ErrorContains(t, err, want)
	}
	_, err := (&Config{GRPC: "127.0.0.1:0", Web: "127.0.0.1:0", Reply: "127.0.0.1:0", Inspection: ":0"}).listen(t.Context())
	require.EqualError(t, err, `inspection: ":0" is not a loopback address, such as 127.0.0.1:8082`)
}
