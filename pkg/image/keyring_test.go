package image

import (
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/image/pip"
	"krt.dev/kn-krt/pkg/requirement"
)

// keyringPackage asks another program for the password, as those of cloud providers do.
const keyringPackage = `import subprocess
from collections import namedtuple

Credential = namedtuple("Credential", "username password")


def get_credential(service, username):
    return Credential("me", subprocess.run(["sh", "-c", "echo secret"], stdout=subprocess.PIPE, check=True).stdout.decode().strip())


def get_password(service, username):
    return get_credential(service, username).password
`

// olderThan231 is a pip that has no setting for whom it asks.
var olderThan231 = regexp.MustCompile(`^(1?\d|2[0-2]|23\.0)\.`)

// private serves the wheel to who knows the password.
func private(t *testing.T, file string, content []byte) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user != "me" || password != "secret" {
			w.Header().Set("WWW-Authenticate", "Basic")
			http.Error(w, "who are you?", http.StatusUnauthorized)
			return
		}
		if strings.HasSuffix(r.URL.Path, ".whl") {
			_, _ = w.Write(content)
			return
		}
		_, _ = w.Write([]byte(`<a href="/files/` + file + `">` + file + `</a>`))
	}))
	t.Cleanup(server.Close)
	pipSettings(t, strings.Replace(server.URL, "http://", "http://me@", 1)+"/simple/")
	t.Setenv("PIP_KEYRING_PROVIDER", "import")
}

// virtualEnvironment makes a virtual environment that has the pip of python, and returns its Python and folder of packages.
func virtualEnvironment(t *testing.T, python string) (own, packages string) {
	t.Helper()
	dir := t.TempDir()
	output, err := exec.Command(python, "-m", "venv", "--without-pip", dir).CombinedOutput()
	require.NoError(t, err, string(output))
	which := exec.Command(python, "-c", "import os, pip; print(pip.__version__, os.path.dirname(pip.__file__))")
	which.Dir = dir // where no pip.py is
	pip, err := which.Output()
	require.NoError(t, err)
	version, at, _ := strings.Cut(strings.TrimSpace(string(pip)), " ")
	if olderThan231.MatchString(version) {
		t.Skipf("pip %s asks no keyring unless it may ask a person too", version)
	}
	found, err := filepath.Glob(filepath.Join(dir, "lib", "python3*", "site-packages"))
	require.NoError(t, err)
	require.Len(t, found, 1)
	require.NoError(t, os.Symlink(at, filepath.Join(found[0], "pip")))
	return filepath.Join(dir, "bin", "python3"), found[0]
}

// The interpreter's own keyring may start programs; one that is found elsewhere may not, as no build may.
func TestAKeyringMayAskAnotherProgram(t *testing.T) {
	python := needPip(t)
	private(t, "tiny-1.0-py3-none-any.whl", wheel(t, "tiny", "1.0", "py3-none-any", "X = 1\n"))
	b, _ := newTestBuilder(t, newHub(t), nil)
	s, err := b.session(t.Context(), bundle(t, twoNodes()))
	require.NoError(t, err)
	defer s.close()
	own, packages := virtualEnvironment(t, python)
	s.o.Python = own
	install := func() error {
		list := &requirement.List{Items: []requirement.Item{{Name: "tiny"}}}
		return s.installer().Install(t.Context(), pip.Set{List: list, Version: "3.11", Platform: v1.Platform{OS: "linux", Architecture: "amd64"}},
			t.TempDir())
	}
	require.Error(t, install(), "there is no keyring")

	foreign := t.TempDir()
	write(t, foreign, map[string]string{"keyring/__init__.py": keyringPackage})
	t.Setenv("PYTHONPATH", foreign)
	require.Error(t, install(), "it is not one of the interpreter's packages")

	t.Setenv("PYTHONPATH", "")
	write(t, packages, map[string]string{"keyring/__init__.py": keyringPackage})
	require.NoError(t, install())
}
