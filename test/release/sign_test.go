package release_test

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// signer signs with a key pair of the test's, and asks no transparency log: nothing leaves this machine.
type signer struct{ cosign, key, public string }

// newSigner makes the key pair; it returns nil without cosign.
func newSigner(t *testing.T) *signer {
	t.Helper()
	cosign, err := exec.LookPath("cosign")
	if err != nil {
		t.Log("not signed: cosign is not on the PATH")
		return nil
	}
	dir := t.TempDir()
	run(t, dir, []string{"COSIGN_PASSWORD=of the test"}, cosign, "generate-key-pair")
	return &signer{cosign: cosign, key: filepath.Join(dir, "cosign.key"), public: filepath.Join(dir, "cosign.pub")}
}

// arguments and environment are what a release is signed with.
func (s *signer) arguments() []string { return []string{"-cosign", s.cosign + " --tlog-upload=false"} }

func (s *signer) environment() []string {
	return []string{"COSIGN_KEY=" + s.key, "COSIGN_PASSWORD=of the test"}
}

// imageReference is an image of a release, by its digest.
var imageReference = regexp.MustCompile(`\S+/krt/\w+@sha256:[0-9a-f]{64}`)

// verify checks the signatures of a release's images and of its checksums, as users do, and that cosign
// refuses other checksums and an image that is not signed.
func (s *signer) verify(t *testing.T, dist, base string) {
	t.Helper()
	verify := []string{"verify", "--insecure-ignore-tlog", "--key", s.public}
	images := map[string]bool{}
	for _, name := range []string{"kn-krt.yaml", "kn-krt-store.yaml", "kn-krt-dashboard.yaml"} {
		for _, image := range imageReference.FindAllString(read(t, filepath.Join(dist, name)), -1) {
			images[image] = true
		}
	}
	require.Len(t, images, 4, "controller, entrypoint, store and dashboard")
	for image := range images {
		out := run(t, dist, nil, s.cosign, append(verify, image)...)
		require.Contains(t, out, "The signatures were verified against the specified public key")
		for _, platform := range platformsOf(t, image) {
			run(t, dist, nil, s.cosign, append(verify, platform)...)
		}
	}
	out, err := exec.CommandContext(t.Context(), s.cosign, append(verify, base)...).CombinedOutput()
	require.Error(t, err)
	require.Contains(t, string(out), "no signatures found")

	blob := []string{"verify-blob", "--insecure-ignore-tlog", "--key", s.public, "--signature", "SHA256SUMS.sig"}
	require.Contains(t, run(t, dist, nil, s.cosign, append(blob, "SHA256SUMS")...), "Verified OK")
	require.Error(t, exec.CommandContext(t.Context(), s.cosign, append(blob, "kn-krt.yaml")...).Run())
}

// download has the files of a release as a forge gives them: in one folder, whatever theirs was.
func download(t *testing.T, dist string) {
	t.Helper()
	flat := t.TempDir()
	run(t, dist, nil, "sh", "-c", `find . -type f -exec cp {} "$0" \;`, flat)
	out := run(t, flat, nil, "sha256sum", "--check", "SHA256SUMS")
	require.Equal(t, strings.Count(read(t, filepath.Join(flat, "SHA256SUMS")), "\n"), strings.Count(out, ": OK\n"))
}
