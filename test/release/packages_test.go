package release_test

import (
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
)

// packages installs a release as a plugin of kubectl by krew, offline in an empty HOME, and has Ruby read
// Homebrew's formula, where these programs are on the PATH.
func packages(t *testing.T, dist string) {
	t.Helper()
	if krew, err := exec.LookPath("krew"); err != nil {
		t.Log("not installed: krew is not on the PATH")
	} else {
		home := t.TempDir()
		environment := []string{"HOME=" + home, "KREW_ROOT=" + filepath.Join(home, "krew")}
		archive := filepath.Join(dist, "kn-krt_"+version+"_"+runtime.GOOS+"_"+runtime.GOARCH+".tar.gz")
		run(t, home, environment, krew, "install", "--manifest="+filepath.Join(dist, "krt.yaml"), "--archive="+archive)
		plugin := filepath.Join(home, "krew", "bin", "kubectl-krt")
		require.Contains(t, run(t, home, environment, plugin, "version"), "kn-krt "+version+" (")
	}
	if ruby, err := exec.LookPath("ruby"); err != nil {
		t.Log("not read: ruby is not on the PATH")
	} else {
		require.Equal(t, "Syntax OK\n", run(t, dist, nil, ruby, "-c", "kn-krt.rb"))
	}
}
