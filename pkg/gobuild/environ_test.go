package gobuild_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/gobuild"
)

// What the go command itself says it would use, whatever the user's environment and the file of "go env -w" hold.
func TestEnviron(t *testing.T) {
	config := filepath.Join(t.TempDir(), "env")
	require.NoError(t,
		os.WriteFile(config, []byte("GOFLAGS=-toolexec=evil\nGOTOOLCHAIN=go1.99.0\nGOOS=plan9\nCGO_ENABLED=1\nGOPRIVATE=example.com\n"), 0o600))
	work := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(work, "go.work"), []byte("go 1.25\ntoolchain go1.99.0\n"), 0o600))
	env := append(os.Environ(), "GOENV="+config, "GOFLAGS=-toolexec=evil", "GOWORK="+filepath.Join(work, "go.work"), "GOTOOLCHAIN=auto",
		"GOOS=windows", "GOARCH=mips", "GO111MODULE=off", "GOBIN=relative", "CGO_ENABLED=1", "CGO_CFLAGS=-fplugin=evil", "GOCACHEPROG=evil",
		"GOEXPERIMENT=nonsense", "GOAMD64=v4", "GOPROXY=https://proxy.example.com", "GOOGLE_API_KEY=k", "GoFish=1")
	cmd := exec.CommandContext(t.Context(), "go", "env", "GOFLAGS", "GOTOOLCHAIN", "GOWORK", "GOOS", "GOARCH", "GO111MODULE",
		"GOBIN", "CGO_ENABLED",
		"CGO_CFLAGS", "GOCACHEPROG", "GOPROXY", "GOPRIVATE")
	cmd.Dir, cmd.Env = work, gobuild.Environ(env, "linux", "arm64")
	said, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", said)
	require.Equal(t, []string{"-buildvcs=false", "local", "off", "linux", "arm64", "on", "", "0", "-O2 -g", "",
		"https://proxy.example.com", "example.com"},
		strings.Split(strings.TrimSuffix(string(said), "\n"), "\n"))
	require.Contains(t, cmd.Env, "GOOGLE_API_KEY=k", "what is not the go command's stays")
	require.Contains(t, cmd.Env, "GoFish=1")
	require.NotContains(t, gobuild.Environ([]string{"GOENV=go.env"}, "linux", "arm64"), "GOENV=go.env", "a file of the folder that is built")
}
