package configvalue

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func write(t *testing.T, path, content string) string {
	t.Helper()
	require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
	return path
}

func lookupIn(vars map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) { value, ok := vars[name]; return value, ok }
}

func TestGatherPrecedence(t *testing.T) {
	env := write(t, filepath.Join(t.TempDir(), ".env"), "# values\nB=file\nexport C=\"file\"\nD=\n")
	c := Source{Set: map[string]string{"C": "set"}, EnvFiles: []string{env}}
	v, err := c.Gather([]string{"A", "B", "C", "D"}, nil,
		lookupIn(map[string]string{"A": "env", "B": "env", "C": "env", "D": "env"}))
	require.NoError(t, err)
	require.Equal(t, map[string]string{"A": "env", "B": "file", "C": "set", "D": "env"}, v.Variables)
}

func TestGatherFiles(t *testing.T) {
	c := Source{Files: map[string]string{"CERT": write(t, filepath.Join(t.TempDir(), "cert.pem"), "secret")}}
	v, err := c.Gather(nil, []string{"CERT"}, lookupIn(nil))
	require.NoError(t, err)
	require.Equal(t, map[string][]byte{"CERT": []byte("secret")}, v.Files)
}

func TestGatherErrors(t *testing.T) {
	envFile := filepath.Join(t.TempDir(), "env")
	require.NoError(t, os.WriteFile(envFile, []byte("G=\n"), 0o600))
	for name, c := range map[string]struct {
		config           Source
		variables, files []string
		want             string
	}{
		"missing variable": {Source{}, []string{"A"}, nil, `no value for config variable "A"`},
		"empty":            {Source{Set: map[string]string{"A": ""}}, []string{"A"}, nil, `no value for config variable "A": "A" is empty`},
		"some empty": {Source{Set: map[string]string{"A": "", "B": ""}}, []string{"A", "B", "D"}, nil,
			`no value for config variables "A", "B", "D": "A", "B" are empty`},
		"empty in a file": {Source{EnvFiles: []string{envFile}}, []string{"G"}, nil, `no value for config variable "G": "G" is empty`},
		"all missing":     {Source{}, []string{"A", "B"}, []string{"C"}, `no value for config variables "A", "B" and config file "C"`},
		"unknown, near": {Source{Set: map[string]string{"CURENCY": "x"}}, []string{"CURRENCY"}, nil,
			`config variable "CURENCY" is not declared in the manifest; did you mean "CURRENCY"?`},
		"unknown, others": {Source{Set: map[string]string{"X": "x"}}, []string{"CURRENCY"}, nil,
			`config variable "X" is not declared in the manifest; the manifest declares "CURRENCY"`},
		"unknown, none": {Source{Set: map[string]string{"X": "x"}}, nil, nil,
			`config variable "X" is not declared in the manifest; the manifest declares none`},
		"unknown file": {Source{Files: map[string]string{"X": "x"}}, nil, nil,
			`config file "X" is not declared in the manifest; the manifest declares none`},
		"file as variable": {Source{Set: map[string]string{"C": "x"}}, nil, []string{"C"},
			`config "C" is a file: its value is the content of a file`},
		"variable as file": {Source{Files: map[string]string{"A": "x"}}, []string{"A"}, nil, `config "A" is a variable, not a file`},
		"no file": {Source{Files: map[string]string{"C": "/nonexistent"}}, nil, []string{"C"},
			`cannot read config file "C": open /nonexistent: no such file or directory`},
		"endless file": {Source{Files: map[string]string{"C": "/dev/zero"}}, nil, []string{"C"},
			`cannot read config file "C": /dev/zero is larger than 1048576 bytes`},
		"endless env file": {Source{EnvFiles: []string{"/dev/zero"}}, nil, nil,
			`cannot read env file: /dev/zero is larger than 1048576 bytes`},
		"no env file": {Source{EnvFiles: []string{"/nonexistent"}}, nil, nil,
			`cannot read env file: open /nonexistent: no such file or directory`},
		"two at the a time": {Source{Set: map[string]string{"X": "", "Y": ""}}, nil, nil,
			"config variable \"X\" is not declared in the manifest; the manifest declares none\nconfig variable \"Y\" is not declared in the " +
				"manifest; the manifest declares none"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := c.config.Gather(c.variables, c.files, lookupIn(nil))
			require.EqualError(t, err, c.want)
		})
	}
}

func TestLaterEnvFilesWin(t *testing.T) {
	dir := t.TempDir()
	c := Source{EnvFiles: []string{write(t, filepath.Join(dir, "a"), "A=1\nB=1\n"), write(t, filepath.Join(dir, "b"), "B=2\n")}}
	v, err := c.Gather([]string{"A", "B"}, nil, lookupIn(nil))
	require.NoError(t, err)
	require.Equal(t, map[string]string{"A": "1", "B": "2"}, v.Variables)
}

func TestGatherNeverTellsAValue(t *testing.T) {
	env := write(t, filepath.Join(t.TempDir(), ".env"), "SECRET hunter2 'unbalanced\n")
	_, err := Source{EnvFiles: []string{env}}.Gather(nil, nil, lookupIn(nil))
	require.EqualError(t, err, "cannot read env file: "+env+":1: the line is not of the form NAME=VALUE")
	require.NotContains(t, err.Error(), "hunter2")
}
