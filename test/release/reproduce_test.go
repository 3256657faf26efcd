// Package release_test makes whole releases, and installs, upgrades and removes them on a cluster.
package release_test

import (
	"io"
	"log"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/stretchr/testify/require"
)

const version = "v0.1.0"

// Two releases of one commit, made in different folders, are the same bytes: programs, archives,
// bills of materials and images. Signatures are not, by their nature: with cosign, the second is signed.
func TestReleaseIsReproducible(t *testing.T) {
	ko := os.Getenv("KRT_KO")
	if ko == "" {
		t.Skip("KRT_KO names no ko: make release-long")
	}
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(server.Close)
	host := strings.TrimPrefix(server.URL, "http://")
	base := pushBase(t, host)
	sign := newSigner(t)
	var sums [2]string
	for i, root := range []string{source(t, "HEAD", version), source(t, "HEAD", version)} {
		env := []string{"KO_DOCKER_REPO=" + host + "/krt", "KO_DEFAULTBASEIMAGE=" + base, "SOURCE_DATE_EPOCH=", "COSIGN_KEY=", "GOFLAGS="}
		args := []string{"run", "./cmd/release", "-ko", ko, "-version", version, "-url", "https://example.com/" + version}
		if sign != nil && i == 1 {
			env, args = append(env, sign.environment()...), append(args, sign.arguments()...)
		}
		t.Log(run(t, root, env, "go", args...))
		sums[i] = read(t, filepath.Join(root, "dist", "SHA256SUMS"))
		for _, file := range []string{"kn-krt.yaml", "kn-krt-0.1.0.tgz", "krt.yaml", "kn-krt.rb", "NOTES.md", "kn-krt_v0.1.0_windows_arm64.zip"} {
			require.Contains(t, sums[i], "  "+file+"\n")
		}
		dist := filepath.Join(root, "dist")
		saysVersion(t, dist)
		download(t, dist)
		packages(t, dist)
		if sign != nil && i == 1 {
			sign.verify(t, dist, base)
		}
	}
	require.Equal(t, sums[0], sums[1])
	t.Logf("%s", sums[0])
}

// saysVersion starts the program of this machine, and that for the other architecture if it can be emulated.
func saysVersion(t *testing.T, dist string) {
	t.Helper()
	for arch, emulator := range map[string]string{"amd64": "qemu-x86_64-static", "arm64": "qemu-aarch64-static"} {
		dir := t.TempDir()
		archive := filepath.Join(dist, "kn-krt_"+version+"_linux_"+arch+".tar.gz")
		out, err := exec.CommandContext(t.Context(), "tar", "-C", dir, "-xzf", archive).CombinedOutput()
		require.NoError(t, err, string(out))
		command := []string{filepath.Join(dir, "kn-krt"), "version"}
		if arch != runtime.GOARCH {
			if _, err := exec.LookPath(emulator); err != nil {
				t.Logf("not started: the program for %s, because there is no %s", arch, emulator)
				continue
			}
			command = append([]string{emulator}, command...)
		}
		out, err = exec.CommandContext(t.Context(), command[0], command[1:]...).CombinedOutput()
		require.NoError(t, err, string(out))
		require.Contains(t, string(out), "kn-krt "+version+" (")
		require.Contains(t, string(out), "linux/"+arch)
		require.NotContains(t, string(out), "modified")
		t.Logf("%s", out)
	}
}

// platformsOf are the images of an index, by their digests.
func platformsOf(t *testing.T, index string) (images []string) {
	t.Helper()
	ref, err := name.NewDigest(index)
	require.NoError(t, err)
	whole, err := remote.Index(ref, remote.WithContext(t.Context()))
	require.NoError(t, err)
	manifest, err := whole.IndexManifest()
	require.NoError(t, err)
	for _, m := range manifest.Manifests {
		images = append(images, ref.Context().Digest(m.Digest.String()).Name())
	}
	require.Len(t, images, 2)
	return images
}

// pushBase pushes an empty base image for the architectures of a release.
func pushBase(t *testing.T, host string) string {
	t.Helper()
	index := mutate.IndexMediaType(empty.Index, "application/vnd.oci.image.index.v1+json")
	for _, arch := range []string{"amd64", "arm64"} {
		file, err := empty.Image.ConfigFile()
		require.NoError(t, err)
		file = file.DeepCopy()
		file.OS, file.Architecture = "linux", arch
		image, err := mutate.ConfigFile(empty.Image, file)
		require.NoError(t, err)
		index = mutate.AppendManifests(index, mutate.IndexAddendum{
			Add: image, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: arch}},
		})
	}
	ref, err := name.NewTag(host + "/base:latest")
	require.NoError(t, err)
	require.NoError(t, remote.WriteIndex(ref, index, remote.WithContext(t.Context())))
	return ref.Name()
}
