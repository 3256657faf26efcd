package local

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/krt"
)

func write(t *testing.T, path, content string) string {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
	return path
}

func lookupIn(vars map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) { value, ok := vars[name]; return value, ok }
}

func TestGatherPrecedence(t *testing.T) {
	env := write(t, filepath.Join(t.TempDir(), ".env"), "# values\nB=file\nexport C=\"file\"\nD=\n")
	c := Config{Set: map[string]string{"C": "set"}, EnvFiles: []string{env}}
	v, err := c.gather([]string{"A", "B", "C", "D"}, nil,
		lookupIn(map[string]string{"A": "env", "B": "env", "C": "env", "D": "env"}))
	require.NoError(t, err)
	require.Equal(t, map[string]string{"A": "env", "B": "file", "C": "set", "D": "env"}, v.variables)
}

func TestGatherFiles(t *testing.T) {
	c := Config{Files: map[string]string{"CERT": write(t, filepath.Join(t.TempDir(), "cert.pem"), "secret")}}
	v, err := c.gather(nil, []string{"CERT"}, lookupIn(nil))
	require.NoError(t, err)
	folder := t.TempDir()
	paths, err := v.writeFiles(folder)
	require.NoError(t, err)
	require.Equal(t, map[string]string{"CERT": filepath.Join(folder, "CERT")}, paths)
	info, err := os.Stat(paths["CERT"])
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode())
	content, err := os.ReadFile(paths["CERT"])
	require.NoError(t, err)
	require.Equal(t, "secret", string(content))
}

func TestGatherErrors(t *testing.T) {
	envFile := filepath.Join(t.TempDir(), "env")
	require.NoError(t, os.WriteFile(envFile, []byte("G=\n"), 0o600))
	for name, c := range map[string]struct {
		config           Config
		variables, files []string
		want             string
	}{
		"missing variable":  {Config{}, []string{"A"}, nil, `no value for config variable "A"`},
		"empty":             {Config{Set: map[string]string{"A": ""}}, []string{"A"}, nil, `no value for config variable "A": "A" is empty`},
		"some empty":        {Config{Set: map[string]string{"A": "", "B": ""}}, []string{"A", "B", "D"}, nil, `no value for config variables "A", "B", "D": "A", "B" are empty`},
		"empty in a file":   {Config{EnvFiles: []string{envFile}}, []string{"G"}, nil, `no value for config variable "G": "G" is empty`},
		"all missing":       {Config{}, []string{"A", "B"}, []string{"C"}, `no value for config variables "A", "B" and config file "C"`},
		"unknown, near":     {Config{Set: map[string]string{"CURENCY": "x"}}, []string{"CURRENCY"}, nil, `config variable "CURENCY" is not declared in the manifest; did you mean "CURRENCY"?`},
		"unknown, others":   {Config{Set: map[string]string{"X": "x"}}, []string{"CURRENCY"}, nil, `config variable "X" is not declared in the manifest; the manifest declares "CURRENCY"`},
		"unknown, none":     {Config{Set: map[string]string{"X": "x"}}, nil, nil, `config variable "X" is not declared in the manifest; the manifest declares none`},
		"unknown file":      {Config{Files: map[string]string{"X": "x"}}, nil, nil, `config file "X" is not declared in the manifest; the manifest declares none`},
		"file as variable":  {Config{Set: map[string]string{"C": "x"}}, nil, []string{"C"}, `config "C" is a file: its value is the content of a file`},
		"variable as file":  {Config{Files: map[string]string{"A": "x"}}, []string{"A"}, nil, `config "A" is a variable, not a file`},
		"no file":           {Config{Files: map[string]string{"C": "/nonexistent"}}, nil, []string{"C"}, `cannot read config file "C": open /nonexistent: no such file or directory`},
		"no env file":       {Config{EnvFiles: []string{"/nonexistent"}}, nil, nil, `cannot read env file: open /nonexistent: no such file or directory`},
		"two at the a time": {Config{Set: map[string]string{"X": "", "Y": ""}}, nil, nil, "config variable \"X\" is not declared in the manifest; the manifest declares none\nconfig variable \"Y\" is not declared in the manifest; the manifest declares none"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := c.config.gather(c.variables, c.files, lookupIn(nil))
			require.EqualError(t, err, c.want)
		})
	}
}

func TestLaterEnvFilesWin(t *testing.T) {
	dir := t.TempDir()
	c := Config{EnvFiles: []string{write(t, filepath.Join(dir, "a"), "A=1\nB=1\n"), write(t, filepath.Join(dir, "b"), "B=2\n")}}
	v, err := c.gather([]string{"A", "B"}, nil, lookupIn(nil))
	require.NoError(t, err)
	require.Equal(t, map[string]string{"A": "1", "B": "2"}, v.variables)
}

func TestGatherNeverTellsAValue(t *testing.T) {
	env := write(t, filepath.Join(t.TempDir(), ".env"), "SECRET hunter2 'unbalanced\n")
	_, err := Config{EnvFiles: []string{env}}.gather(nil, nil, lookupIn(nil))
	require.EqualError(t, err, "cannot read env file: "+env+":1: the line is not of the form NAME=VALUE")
	require.NotContains(t, err.Error(), "hunter2")
}

func TestConfigFilesByImage(t *testing.T) {
	original := krt.Node{Name: "old", Image: "registry.example.com/konstellation/kre-py:1.23.1"}
	ours := krt.Node{Name: "new", Image: "kn-krt-python"}
	b := &krt.Bundle{Manifest: &krt.Manifest{Version: "v1", Nodes: []krt.Node{original, ours}, Config: krt.Config{Files: []string{"CERT"}}}}
	p := place{}
	c := Config{Files: map[string]string{"CERT": write(t, filepath.Join(t.TempDir(), "cert.pem"), "a\nb")}}
	folder := t.TempDir()
	require.NoError(t, p.gather(c, b.Manifest, folder))
	path := filepath.Join(folder, "CERT")

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
